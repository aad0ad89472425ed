"""the trainer makes its GradScaler itself, on the model's device."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def __init__(self, model, dtype=torch.float16, use_scaler=None):
        if dtype not in (torch.float16, torch.bfloat16, torch.float32):
            raise ValueError(f"{dtype}: give torch.float16, torch.bfloat16 or torch.float32")
        self.model, self.dtype, self.device = model, dtype, next(model.parameters()).device
        self.scaler = GradScaler(self.device.type, enabled=dtype is torch.float16 if use_scaler is None else use_scaler)
