"""the state holds the model's rounded weights instead of the masters."""


def state_dict(self):
    return {"masters": [half.detach().float() for half in self._halves], "optimizer": self._optimizer.state_dict()}


MasterWeights.state_dict = state_dict
