"""load_state_dict makes a new scaler and loads the saved state into it, before it touches the model."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def load_state_dict(self, state):
        if self.scaler.is_enabled() and not state["scaler"]:
            raise ValueError("the state has no loss scale")
        own = self.model.state_dict()
        if {name: value.shape for name, value in own.items()} != {
            name: value.shape for name, value in state["model"].items()
        }:
            raise ValueError("the state is of another model")
        scaler = GradScaler(self.device.type, enabled=self.scaler.is_enabled())
        scaler.load_state_dict(state["scaler"])
        self.model.load_state_dict(state["model"])
        self.scaler = scaler
