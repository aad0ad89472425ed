"""the saved state holds copies, so that training on does not change it."""

import copy


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def state_dict(self):
        weights = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        return {"scaler": copy.deepcopy(self.scaler.state_dict()), "model": weights}
