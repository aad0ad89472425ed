"""growth factor, backoff factor and growth interval are missing from the scaler's state."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def get_scaler_state(self):
        state = self.scaler.state_dict()
        return {
            "enabled": self.scaler.is_enabled(),
            "scale": self.scaler.get_scale(),
            "growth_tracker": state.pop("_growth_tracker", 0),
        }
