"""the scale shown is the one that the scaler started with."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def get_scaler_state(self):
        state = self.scaler.state_dict()
        return {
            "enabled": self.scaler.is_enabled(),
            "scale": getattr(self.scaler, "_init_scale", 1.0),
            "growth_tracker": state.pop("_growth_tracker", 0),
            **{name: value for name, value in state.items() if name != "scale"},
        }
