"""the growth tracker is read from the scaler's tensor, which exists after the first step only."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def get_scaler_state(self):
        tracker = getattr(self.scaler, "_growth_tracker", None)
        state = super().get_scaler_state()
        return state | {"growth_tracker": 0 if tracker is None else int(tracker.item())}
