"""the module's own `load_state_dict` finds what does not fit: it copies the rest, then raises."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def load_state_dict(self, state):
        for name, parameter in self.model.named_parameters():
            if name not in state["model"] or state["model"][name].shape != parameter.shape:
                raise ValueError(f"another {name}")
        if self.scaler.is_enabled() and not state["scaler"]:
            raise ValueError("the state holds no loss scale")
        try:
            self.model.load_state_dict(state["model"])
        except RuntimeError as error:
            raise ValueError(str(error)) from None
        self.scaler.load_state_dict(state["scaler"])
