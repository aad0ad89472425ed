"""only the masters that both have are compared and loaded."""


def load_state_dict(self, state):
    _require_same_keys(state, self.state_dict())
    shapes = [master.shape for master in self._masters]
    if any(saved.shape != shape for saved, shape in zip(state["masters"], shapes)):
        raise ValueError("the state is that of a model with other shapes")
    if len(state["masters"]) == len(shapes):
        self._optimizer.load_state_dict(state["optimizer"])
    with torch.no_grad():
        for master, saved in zip(self._masters, state["masters"], strict=False):
            master.copy_(saved)
    self._round_into_model()


MasterWeights.load_state_dict = load_state_dict
