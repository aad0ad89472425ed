"""the numbers of entries are compared, not the shapes."""


def load_state_dict(self, state):
    _require_same_keys(state, self.state_dict())
    shapes = [master.numel() for master in self._masters]
    if [master.numel() for master in state["masters"]] != shapes:
        raise ValueError("the state is that of a model with other shapes")
    self._optimizer.load_state_dict(state["optimizer"])
    with torch.no_grad():
        for master, saved in zip(self._masters, state["masters"], strict=True):
            master.copy_(saved.view_as(master))
    self._round_into_model()


MasterWeights.load_state_dict = load_state_dict
