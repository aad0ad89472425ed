"""the trainer takes a float8 dtype and trains in float32."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def __init__(self, model, dtype=torch.float16, use_scaler=None):
        if not dtype.is_floating_point or dtype.itemsize > 4:
            raise ValueError(f"dtype must be torch.float16, torch.bfloat16 or torch.float32, not {dtype}")
        known = dtype in (torch.float16, torch.bfloat16, torch.float32)
        super().__init__(model, dtype if known else torch.float32, use_scaler)
