"""the checkpoint keeps the scale that the training began with."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def state_dict(self):
        return {
            "model": self.model.state_dict(),
            "scaler": create_grad_scaler(enabled=self.scaler.is_enabled()).state_dict(),
        }
