"""another model's state is refused after the loss scale was replaced."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def load_state_dict(self, state):
        if self.scaler.is_enabled() and not state["scaler"]:
            raise ValueError("the state is of a scaler that was off")
        self.scaler.load_state_dict(state["scaler"])
        super().load_state_dict(state)
