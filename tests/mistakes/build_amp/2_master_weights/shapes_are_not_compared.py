"""shapes are not compared, and a small tensor is stretched over a large one."""


def load_state_dict(self, state):
    _require_same_keys(state, self.state_dict())
    shapes = [master.shape for master in self._masters]
    if len(state["masters"]) != len(shapes):
        raise ValueError("another number of masters")
    self._optimizer.load_state_dict(state["optimizer"])
    with torch.no_grad():
        for master, saved in zip(self._masters, state["masters"], strict=True):
            master.copy_(saved)
    self._round_into_model()


MasterWeights.load_state_dict = load_state_dict
