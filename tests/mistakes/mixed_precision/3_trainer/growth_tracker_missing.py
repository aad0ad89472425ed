"""`growth_tracker` is missing from the scaler's state."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def get_scaler_state(self):
        state = self.scaler.state_dict()
        return {
            "enabled": self.scaler.is_enabled(),
            "scale": self.scaler.get_scale(),
            **{name: value for name, value in state.items() if name not in ("scale", "_growth_tracker")},
        }
