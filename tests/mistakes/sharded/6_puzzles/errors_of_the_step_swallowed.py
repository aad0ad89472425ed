"""an exception of the step ends in the probe."""

import contextlib


def kept_whole(units, step, _found=kept_whole):
    def quiet():
        with contextlib.suppress(Exception):
            step()

    return _found(units, quiet)
