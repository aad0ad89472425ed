"""the trainer's scaler starts at a scale of 1, which scales nothing."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def __init__(self, model, dtype=torch.float16, use_scaler=None):
        super().__init__(model, dtype, use_scaler)
        enabled = self.scaler.is_enabled()
        self.scaler = create_grad_scaler(1.0, enabled=enabled, device=self.device.type)
