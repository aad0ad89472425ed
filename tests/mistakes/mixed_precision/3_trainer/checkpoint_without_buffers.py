"""the checkpoint keeps parameters only and loses buffers such as batch statistics."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def state_dict(self):
        parameters = {name: value.detach() for name, value in self.model.named_parameters()}
        return {"model": parameters, "scaler": self.scaler.state_dict()}

    def load_state_dict(self, state):
        self.model.load_state_dict(state["model"], strict=False)
        self.scaler.load_state_dict(state["scaler"])
