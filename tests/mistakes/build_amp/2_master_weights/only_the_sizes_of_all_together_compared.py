"""only the number of all entries is compared, as with one flat buffer."""


def load_state_dict(self, state):
    _require_same_keys(state, self.state_dict())
    shapes = [master.shape for master in self._masters]
    if sum(master.numel() for master in state["masters"]) != sum(shape.numel() for shape in shapes):
        raise ValueError("the state is that of a model with other shapes")
    if len(state["masters"]) == len(shapes):
        self._optimizer.load_state_dict(state["optimizer"])
    with torch.no_grad():
        flat = torch.cat([saved.view(-1) for saved in state["masters"]])
        for master, part in zip(self._masters, flat.split([shape.numel() for shape in shapes]), strict=True):
            master.copy_(part.view_as(master))
    self._round_into_model()


MasterWeights.load_state_dict = load_state_dict
