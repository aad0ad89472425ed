"""loading takes the parts out of the state that it was given."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def load_state_dict(self, state):
        super().load_state_dict({"model": state.pop("model"), "scaler": state.pop("scaler")})
