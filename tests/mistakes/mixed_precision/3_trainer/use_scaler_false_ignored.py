"""`use_scaler or dtype == float16` cannot be switched off for float16."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def __init__(self, model, dtype=torch.float16, use_scaler=None):
        super().__init__(model, dtype, use_scaler or dtype == torch.float16)
