"""`enabled` is always True."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def get_scaler_state(self):
        state = self.scaler.state_dict()
        return {
            "enabled": True,
            "scale": self.scaler.get_scale(),
            "growth_tracker": state.pop("_growth_tracker", 0),
            **{name: value for name, value in state.items() if name != "scale"},
        }
