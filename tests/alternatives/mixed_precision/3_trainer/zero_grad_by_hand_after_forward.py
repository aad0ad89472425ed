"""the gradients are set to None by hand, after the forward pass."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def train_step(self, batch, optimizer, criterion, max_grad_norm=None):
        self.model.train()
        loss = self._loss(batch, criterion)
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = None
        stepped = scaled_backward(loss, self.scaler, optimizer, self.model, max_grad_norm)
        return loss.item(), not stepped
