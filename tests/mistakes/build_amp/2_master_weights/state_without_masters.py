"""the state is that of the optimizer: the masters begin again from the model's weights."""


def state_dict(self):
    return self._optimizer.state_dict()


def load_state_dict(self, state):
    _require_same_keys(state, self.state_dict())
    self._optimizer.load_state_dict(state)
    with torch.no_grad():
        for half, master in zip(self._halves, self._masters, strict=True):
            master.copy_(half)


MasterWeights.state_dict, MasterWeights.load_state_dict = state_dict, load_state_dict
