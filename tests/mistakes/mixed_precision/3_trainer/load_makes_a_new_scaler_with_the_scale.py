"""load_state_dict makes a new scaler with the saved scale and loses tracker and settings."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def load_state_dict(self, state):
        self.model.load_state_dict(state["model"])
        if self.scaler.is_enabled():
            self.scaler = create_grad_scaler(state["scaler"]["scale"], device=self.device.type)
