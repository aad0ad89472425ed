"""rank 0 is the source, whatever `source` says."""

_of_rank_0 = broadcast_model


def broadcast_model(model, source=0):
    _of_rank_0(model)
