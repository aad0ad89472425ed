"""evaluate gives the mode of the model to all its submodules."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def evaluate(self, dataloader, criterion):
        was_training = self.model.training
        try:
            return super().evaluate(dataloader, criterion)
        finally:
            self.model.train(was_training)
