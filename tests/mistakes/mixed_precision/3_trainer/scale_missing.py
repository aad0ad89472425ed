"""`scale` is missing from the scaler's state."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def get_scaler_state(self):
        state = self.scaler.state_dict()
        return {
            "enabled": self.scaler.is_enabled(),
            "growth_tracker": state.pop("_growth_tracker", 0),
            **{name: value for name, value in state.items() if name != "scale"},
        }
