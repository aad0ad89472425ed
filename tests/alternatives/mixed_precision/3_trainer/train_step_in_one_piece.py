"""train_step is written in one piece, without scaled_backward or mixed_precision_forward."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def train_step(self, batch, optimizer, criterion, max_grad_norm=None):
        inputs, targets = batch
        inputs, targets = inputs.to(self.device, non_blocking=True), targets.to(self.device, non_blocking=True)
        self.model.train(True)
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32):
            loss = criterion(self.model(inputs), targets)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(optimizer)
        limit = math.inf if max_grad_norm is None else max_grad_norm
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), limit)
        skipped = not math.isfinite(norm)
        if not skipped:
            self.scaler.step(optimizer)
        self.scaler.update()
        return float(loss.detach()), skipped
