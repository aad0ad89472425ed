"""the model keeps its weights until the next step."""


def load_state_dict(self, state):
    _require_same_keys(state, self.state_dict())
    shapes = [master.shape for master in self._masters]
    if [master.shape for master in state["masters"]] != shapes:
        raise ValueError("the state is that of a model with other shapes")
    self._optimizer.load_state_dict(state["optimizer"])
    with torch.no_grad():
        for master, saved in zip(self._masters, state["masters"], strict=True):
            master.copy_(saved)


MasterWeights.load_state_dict = load_state_dict
