"""load_state_dict restores the weights but not the scaler."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def load_state_dict(self, state):
        self.model.load_state_dict(state["model"])
