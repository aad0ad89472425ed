"""load_state_dict restores the scaler but not the weights."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def load_state_dict(self, state):
        self.scaler.load_state_dict(state["scaler"])
