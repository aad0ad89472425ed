"""validation calls train_step's loss and steps: the weights move on validation data."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def evaluate(self, dataloader, criterion):
        optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-3)
        was_training = self.model.training
        loss = self.train_epoch(dataloader, optimizer, criterion)["loss"]
        self.model.train(was_training)
        return loss
