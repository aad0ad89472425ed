"""the saved state also names the dtype and the number of values."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def state_dict(self):
        state = super().state_dict()
        return state | {"dtype": str(self.dtype), "values": sum(value.numel() for value in state["model"].values())}
