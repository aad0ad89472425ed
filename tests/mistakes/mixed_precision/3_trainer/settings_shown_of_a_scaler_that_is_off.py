"""a scaler that is off is reported with settings."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def get_scaler_state(self):
        state = super().get_scaler_state()
        return {"growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 2000} | state
