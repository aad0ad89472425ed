"""growth factor and backoff factor are shown under each other's name."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def get_scaler_state(self):
        state = super().get_scaler_state()
        if state["enabled"]:
            state["growth_factor"], state["backoff_factor"] = state["backoff_factor"], state["growth_factor"]
        return state
