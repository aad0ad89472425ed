"""the checkpoint keeps the scale but not the growth tracker, so a resumed run grows too late."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def state_dict(self):
        scaler = {**self.scaler.state_dict(), "_growth_tracker": 0} if self.scaler.is_enabled() else {}
        return {"model": self.model.state_dict(), "scaler": scaler}
