"""the settings are read from a disabled scaler too, which has none."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def get_scaler_state(self):
        return {
            "enabled": self.scaler.is_enabled(),
            "scale": self.scaler.get_scale(),
            "growth_tracker": self.scaler.state_dict()["_growth_tracker"],
            "growth_factor": self.scaler.get_growth_factor(),
            "backoff_factor": self.scaler.get_backoff_factor(),
            "growth_interval": self.scaler.get_growth_interval(),
        }
