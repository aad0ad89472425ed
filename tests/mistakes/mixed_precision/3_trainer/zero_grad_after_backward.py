"""the gradients are zeroed right after backward, so the optimizer sees zeros."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def train_step(self, batch, optimizer, criterion, max_grad_norm=None):
        self.model.train()
        loss = self._loss(batch, criterion)
        self.scaler.scale(loss).backward()
        optimizer.zero_grad(set_to_none=False)
        self.scaler.unscale_(optimizer)
        limit = math.inf if max_grad_norm is None else max_grad_norm
        finite = math.isfinite(torch.nn.utils.clip_grad_norm_(self.model.parameters(), limit))
        if finite:
            self.scaler.step(optimizer)
        self.scaler.update()
        return loss.item(), not finite
