"""`use_scaler=True` is only obeyed for float16."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def __init__(self, model, dtype=torch.float16, use_scaler=None):
        super().__init__(model, dtype, dtype == torch.float16 and use_scaler is not False)
