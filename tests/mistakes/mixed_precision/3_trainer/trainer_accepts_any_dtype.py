"""the trainer takes any dtype and trains in float32 where autocast does not know it."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def __init__(self, model, dtype=torch.float16, use_scaler=None):
        super().__init__(model, torch.float16, dtype == torch.float16 if use_scaler is None else use_scaler)
        self.dtype = dtype

    def _loss(self, batch, criterion):
        inputs, targets = (part.to(self.device) for part in batch)
        enabled = self.dtype in (torch.float16, torch.bfloat16)
        with torch.autocast(self.device.type, dtype=self.dtype, enabled=enabled):
            return criterion(self.model(inputs), targets)
