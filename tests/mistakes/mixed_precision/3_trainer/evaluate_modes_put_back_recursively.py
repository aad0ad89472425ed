"""evaluate puts the modes back with module.train(mode), which spoils a submodule that two modules share."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def evaluate(self, dataloader, criterion):
        modes = [(module, module.training) for module in self.model.modules()]
        try:
            return super().evaluate(dataloader, criterion)
        finally:
            for module, mode in modes:
                module.train(mode)
