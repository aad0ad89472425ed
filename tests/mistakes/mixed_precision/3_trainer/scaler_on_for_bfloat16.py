"""the scaler is on for every half precision by default, bfloat16 too."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def __init__(self, model, dtype=torch.float16, use_scaler=None):
        if use_scaler is None:
            use_scaler = dtype != torch.float32
        super().__init__(model, dtype, use_scaler)
