"""the trainer throws the optimizer's state away after a skipped step."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def train_step(self, batch, optimizer, criterion, max_grad_norm=None):
        loss, skipped = super().train_step(batch, optimizer, criterion, max_grad_norm)
        if skipped:
            optimizer.state.clear()
        return loss, skipped
