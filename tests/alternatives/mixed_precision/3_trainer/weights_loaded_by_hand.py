"""the saved values are copied into the model tensor by tensor."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    @torch.no_grad()
    def load_state_dict(self, state):
        own = self.model.state_dict()
        for name, value in state["model"].items():
            own[name].copy_(value)
        self.scaler.load_state_dict(state["scaler"])
