"""masters and model are loaded before the optimizer refuses its part of the state."""


def load_state_dict(self, state: Mapping[str, Any]) -> None:
    _require_same_keys(state, self.state_dict())
    shapes = [master.shape for master in self._masters]
    if [master.shape for master in state["masters"]] != shapes:
        raise ValueError("the state is that of a model with other shapes")
    with torch.no_grad():
        for master, saved in zip(self._masters, state["masters"], strict=True):
            master.copy_(saved)
    self._round_into_model()
    self._optimizer.load_state_dict(state["optimizer"])


MasterWeights.load_state_dict = load_state_dict
