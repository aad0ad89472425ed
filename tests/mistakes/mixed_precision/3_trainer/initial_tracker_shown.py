"""the growth tracker that the scaler began with is shown."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def get_scaler_state(self):
        state = super().get_scaler_state()
        if state["enabled"] and self.scaler._init_growth_tracker:
            state["growth_tracker"] = self.scaler._init_growth_tracker
        return state
