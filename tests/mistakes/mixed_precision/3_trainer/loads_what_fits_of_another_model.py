"""of another model's state those weights are loaded that fit."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def load_state_dict(self, state):
        own = self.model.state_dict()
        fitting = {n: v for n, v in state["model"].items() if n in own and own[n].shape == v.shape}
        if self.scaler.is_enabled() and not state["scaler"]:
            raise ValueError("the state is of a scaler that was off")
        self.model.load_state_dict(own | fitting)
        self.scaler.load_state_dict(state["scaler"])
