"""the trainer rounds the model's weights to half precision once, at the start."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def __init__(self, model, dtype=torch.float16, use_scaler=None):
        super().__init__(model, dtype, use_scaler)
        for parameter in self.model.parameters():
            parameter.data = parameter.data.to(dtype).float()
