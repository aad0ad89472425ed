"""the scaler is on by default for float32 too."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def __init__(self, model, dtype=torch.float16, use_scaler=None):
        if use_scaler is None:
            use_scaler = dtype != torch.bfloat16
        super().__init__(model, dtype, use_scaler)
