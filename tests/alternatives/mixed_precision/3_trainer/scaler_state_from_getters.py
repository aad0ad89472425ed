"""the scaler's state is read through its getters."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def get_scaler_state(self):
        scaler = self.scaler
        state = {"enabled": scaler.is_enabled(), "scale": scaler.get_scale(), "growth_tracker": 0}
        if scaler.is_enabled():
            state["growth_tracker"] = scaler._get_growth_tracker()
            state["growth_factor"] = scaler.get_growth_factor()
            state["backoff_factor"] = scaler.get_backoff_factor()
            state["growth_interval"] = scaler.get_growth_interval()
        return state
