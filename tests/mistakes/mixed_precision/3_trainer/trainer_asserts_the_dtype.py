"""the trainer checks its dtype with `assert`, which is no ValueError."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def __init__(self, model, dtype=torch.float16, use_scaler=None):
        assert dtype in (torch.float16, torch.bfloat16, torch.float32), dtype
        super().__init__(model, dtype, use_scaler)
