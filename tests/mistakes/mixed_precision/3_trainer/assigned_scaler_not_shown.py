"""get_scaler_state shows the scaler that the trainer was born with, not the one assigned since."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def __init__(self, model, dtype=torch.float16, use_scaler=None):
        super().__init__(model, dtype, use_scaler)
        self._own_scaler = self.scaler

    def get_scaler_state(self):
        state = self._own_scaler.state_dict()
        return {
            "enabled": self._own_scaler.is_enabled(),
            "scale": self._own_scaler.get_scale(),
            "growth_tracker": state.pop("_growth_tracker", 0),
            **{name: value for name, value in state.items() if name != "scale"},
        }
