"""the settings of the scaler are noted when the trainer is made."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def get_scaler_state(self):
        state = super().get_scaler_state()
        names = ("growth_factor", "backoff_factor", "growth_interval") if state["enabled"] else ()
        return state | {name: create_grad_scaler(device="cpu").state_dict()[name] for name in names}
