"""load_state_dict makes a new scaler and loads the saved state into it."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def load_state_dict(self, state):
        self.model.load_state_dict(state["model"])
        self.scaler = GradScaler(self.device.type, enabled=bool(state["scaler"]))
        self.scaler.load_state_dict(state["scaler"])
