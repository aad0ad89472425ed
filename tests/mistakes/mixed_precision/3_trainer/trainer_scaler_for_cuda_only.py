"""the trainer asks for a scaler on "cuda", which disables itself on a CPU."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def __init__(self, model, dtype=torch.float16, use_scaler=None):
        super().__init__(model, dtype, use_scaler)
        self.scaler = create_grad_scaler(enabled=self.scaler.is_enabled(), device="cuda")
