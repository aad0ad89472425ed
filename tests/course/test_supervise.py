"""What becomes of errors around the graded tests, in the process that runs them: none of them is the student's."""

import json
from types import SimpleNamespace

import pytest

from labkit.course.errors import LabError
from labkit.judge import supervise
from labkit.judge.supervise import Supervisor
from labkit.observe.channel import Channel, Closed


def suite_that_raises(error: BaseException) -> SimpleNamespace:
    def load(*_: object, **__: object) -> None:
        raise error

    return SimpleNamespace(load=load, close=lambda: None)


def test_an_error_of_the_machinery_is_told() -> None:
    ours, theirs = Channel.pair()
    supervise._serve(suite_that_raises(OSError("no more processes")), [], theirs)
    said = json.loads(ours.receive())
    assert said == {"broken": "OSError: no more processes"}
    supervisor = Supervisor(SimpleNamespace(), SimpleNamespace(items=[]), 0)
    with pytest.raises(LabError, match="own machinery failed, not your code: OSError: no more processes; make doctor"):
        supervisor._breaks(said["broken"])


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Closed()], ids=repr)
def test_a_child_that_nobody_listens_to_ends_without_a_word(error: BaseException) -> None:
    ours, theirs = Channel.pair()
    supervise._serve(suite_that_raises(error), [], theirs)
    theirs.close()
    with pytest.raises(Closed):
        ours.receive()
