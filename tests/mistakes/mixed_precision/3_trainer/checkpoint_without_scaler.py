"""the checkpoint holds the model only, so a resumed run starts with the default scale."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def state_dict(self):
        return {"model": self.model.state_dict()}

    def load_state_dict(self, state):
        self.model.load_state_dict(state["model"])
