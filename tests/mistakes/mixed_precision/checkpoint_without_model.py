"""the checkpoint holds the scaler only."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def state_dict(self):
        return {"scaler": self.scaler.state_dict()}

    def load_state_dict(self, state):
        self.scaler.load_state_dict(state["scaler"])
