"""the checkpoint keeps the scaler itself, so two trainers share one scale."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def state_dict(self):
        return {"model": self.model.state_dict(), "scaler": self.scaler}

    def load_state_dict(self, state):
        self.model.load_state_dict(state["model"])
        self.scaler = state["scaler"]
