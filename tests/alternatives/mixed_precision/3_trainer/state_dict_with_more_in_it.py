"""the saved state also names the dtype and the parts have other names."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def state_dict(self):
        return {"weights": self.model.state_dict(), "loss_scaling": self.scaler.state_dict(), "dtype": str(self.dtype)}

    def load_state_dict(self, state):
        self.model.load_state_dict(state["weights"])
        self.scaler.load_state_dict(state["loss_scaling"])
