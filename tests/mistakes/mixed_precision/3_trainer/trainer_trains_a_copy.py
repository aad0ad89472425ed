"""the trainer keeps a copy of the model, so the optimizer and the caller hold other weights."""

import copy


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def __init__(self, model, dtype=torch.float16, use_scaler=None):
        super().__init__(copy.deepcopy(model), dtype, use_scaler)
