"""an optimizer that was made before the model was sharded steps without an error and without effect."""


def _refuse_old_optimizers():
    pass
