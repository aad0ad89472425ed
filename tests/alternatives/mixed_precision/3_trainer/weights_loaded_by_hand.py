"""the saved values are copied into the model tensor by tensor, once all of them fit."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    @torch.no_grad()
    def load_state_dict(self, state):
        own = self.model.state_dict()
        fits = own.keys() == state["model"].keys()
        if not fits or any(own[name].shape != value.shape for name, value in state["model"].items()):
            raise ValueError("the state is of another model")
        if self.scaler.is_enabled() and "scale" not in state["scaler"]:
            raise ValueError("the state has no loss scale")
        for name, value in state["model"].items():
            own[name].copy_(value)
        self.scaler.load_state_dict(state["scaler"])
