"""the state is a copy of everything, the masters under their numbers, beside the model's dtype."""

import copy


def state_dict(self):
    copies = {str(index): master.detach().clone() for index, master in enumerate(self._masters)}
    return {"kind": "masters", "weights": copies, "adam": copy.deepcopy(self._optimizer.state_dict())}


def load_state_dict(self, state):
    if state.get("kind") != "masters":
        raise ValueError("this is no state of master weights")
    saved = state["weights"]
    if {n: w.shape for n, w in saved.items()} != {str(i): w.shape for i, w in enumerate(self._masters)}:
        raise ValueError("the state is that of a model with other shapes")
    self._optimizer.load_state_dict(copy.deepcopy(state["adam"]))
    for index, master in enumerate(self._masters):
        master.data.copy_(saved[str(index)])
    self._round_into_model()


MasterWeights.state_dict, MasterWeights.load_state_dict = state_dict, load_state_dict
