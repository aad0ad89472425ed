"""`scaler` is a read-only property, so no other scaler can be assigned."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def __init__(self, model, dtype=torch.float16, use_scaler=None):
        self.model, self.dtype = model, dtype
        self.device = next(model.parameters()).device
        _autocast(self.device.type, dtype)
        enabled = dtype == torch.float16 if use_scaler is None else use_scaler
        self._scaler = create_grad_scaler(enabled=enabled, device=self.device.type)

    @property
    def scaler(self):
        return self._scaler
