"""the checkpoint keeps get_scaler_state's dict, which the scaler cannot load."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def state_dict(self):
        return {"model": self.model.state_dict(), "scaler": self.get_scaler_state()}
