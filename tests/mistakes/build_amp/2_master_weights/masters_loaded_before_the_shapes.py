"""masters are loaded one by one until one does not fit."""


def load_state_dict(self, state):
    _require_same_keys(state, self.state_dict())
    self._optimizer.load_state_dict(state["optimizer"])
    with torch.no_grad():
        for master, saved in zip(self._masters, state["masters"], strict=True):
            if master.shape != saved.shape:
                raise ValueError("the state is that of a model with other shapes")
            master.copy_(saved)
    self._round_into_model()


MasterWeights.load_state_dict = load_state_dict
