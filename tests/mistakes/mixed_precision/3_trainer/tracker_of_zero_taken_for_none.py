"""a growth tracker of 0 is taken for one that is not made yet: the count that was loaded is shown."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def get_scaler_state(self):
        state = super().get_scaler_state()
        if state["enabled"]:
            state["growth_tracker"] = int(self.scaler._growth_tracker or self.scaler._init_growth_tracker)
        return state
