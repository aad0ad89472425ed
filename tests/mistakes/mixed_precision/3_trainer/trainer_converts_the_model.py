"""the trainer converts the model to half precision, so there are no float32 master weights."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def __init__(self, model, dtype=torch.float16, use_scaler=None):
        super().__init__(model, dtype, use_scaler)
        self.model.to(dtype)
