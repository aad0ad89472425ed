"""the checkpoint keeps the weights in half precision, so a resumed run starts from rounded ones."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def state_dict(self):
        return {
            "model": {name: value.half() for name, value in self.model.state_dict().items()},
            "scaler": self.scaler.state_dict(),
        }
