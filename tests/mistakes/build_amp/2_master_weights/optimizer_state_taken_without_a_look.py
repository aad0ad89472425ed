"""the optimizer's state is put in by number, whatever its groups are."""

import copy


def load_state_dict(self, state: Mapping[str, Any]) -> None:
    _require_same_keys(state, self.state_dict())
    shapes = [master.shape for master in self._masters]
    if [master.shape for master in state["masters"]] != shapes:
        raise ValueError("the state is that of a model with other shapes")
    saved_state = copy.deepcopy(state["optimizer"]["state"])
    numbered = dict(enumerate(_parameters_of_optimizer(self._optimizer)))
    self._optimizer.state.clear()
    self._optimizer.state.update({numbered[number]: one for number, one in saved_state.items()})
    with torch.no_grad():
        for master, saved in zip(self._masters, state["masters"], strict=True):
            master.copy_(saved)
    self._round_into_model()


MasterWeights.load_state_dict = load_state_dict
