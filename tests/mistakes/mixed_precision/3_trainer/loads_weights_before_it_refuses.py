"""a state without a loss scale is refused after the weights were replaced."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def load_state_dict(self, state):
        self.model.load_state_dict(state["model"])
        if self.scaler.is_enabled() and not state["scaler"]:
            raise ValueError("the state is of a scaler that was off")
        self.scaler.load_state_dict(state["scaler"])
