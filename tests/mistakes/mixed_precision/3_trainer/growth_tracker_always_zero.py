"""`growth_tracker` is always 0: the scaler's own name for it begins with an underscore."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def get_scaler_state(self):
        state = self.scaler.state_dict()
        return {
            "enabled": self.scaler.is_enabled(),
            "scale": self.scaler.get_scale(),
            "growth_tracker": state.pop("growth_tracker", 0),
            **{name: value for name, value in state.items() if name not in ("scale", "_growth_tracker")},
        }
