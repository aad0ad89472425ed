"""a trainer whose scaler is off refuses the state of one that was on."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def load_state_dict(self, state):
        if bool(state["scaler"]) != self.scaler.is_enabled():
            raise ValueError("the state is of another kind of scaler")
        super().load_state_dict(state)
