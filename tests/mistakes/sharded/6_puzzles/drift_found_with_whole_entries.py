"""every entry is gathered from all ranks to be compared."""


def _digest(tensor):
    return tensor.detach().reshape(-1).view(torch.uint8).numpy().tobytes()
