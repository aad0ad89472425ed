"""`bool(use_scaler)` takes None for False, so float16 trains without a scaler."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def __init__(self, model, dtype=torch.float16, use_scaler=None):
        super().__init__(model, dtype, bool(use_scaler))
