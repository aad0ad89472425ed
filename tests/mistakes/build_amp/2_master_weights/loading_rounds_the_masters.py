"""the masters are loaded from the rounded weights of the model."""


def load_state_dict(self, state):
    _require_same_keys(state, self.state_dict())
    shapes = [master.shape for master in self._masters]
    if [master.shape for master in state["masters"]] != shapes:
        raise ValueError("the state is that of a model with other shapes")
    self._optimizer.load_state_dict(state["optimizer"])
    with torch.no_grad():
        for master, saved in zip(self._masters, state["masters"], strict=True):
            master.copy_(saved.to(self._halves[0].dtype))
    self._round_into_model()


MasterWeights.load_state_dict = load_state_dict
