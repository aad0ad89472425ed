"""What becomes of errors around the graded tests, in the process that runs them: none of them is the student's."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from labkit.course.errors import LabError
from labkit.judge import supervise
from labkit.judge.graded import BEHAVIOUR, LAB, GradedSuite
from labkit.judge.supervise import Supervisor
from labkit.observe.channel import Channel, Closed

OPTION = SimpleNamespace(device="cpu", overlay=None, replay=None, run_limit=90.0)


def suite_that_raises(error: BaseException) -> SimpleNamespace:
    def load(*_: object, **__: object) -> None:
        raise error

    return SimpleNamespace(load=load, close=lambda: None)


def test_an_error_of_the_machinery_is_told() -> None:
    ours, theirs = Channel.pair()
    supervise._serve(suite_that_raises(OSError("no more processes")), [], theirs)
    said = json.loads(ours.receive())
    assert said == {"broken": "OSError: no more processes"}
    supervisor = Supervisor(SimpleNamespace(option=OPTION), SimpleNamespace(items=[]), 0)
    with pytest.raises(LabError, match="own machinery failed, not your code: OSError: no more processes; make doctor"):
        supervisor._breaks(said["broken"])


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Closed()], ids=repr)
def test_a_child_that_nobody_listens_to_ends_without_a_word(error: BaseException) -> None:
    ours, theirs = Channel.pair()
    supervise._serve(suite_that_raises(error), [], theirs)
    theirs.close()
    with pytest.raises(Closed):
        ours.receive()


def test_the_lab_file_that_is_imported_is_named(tmp_path: Path) -> None:
    """Each lab of a run has its own; the child says which one it comes to."""
    paths = {stem: tmp_path / f"{stem}.py" for stem in ("one", "two")}
    for path in paths.values():
        path.write_text("x = 1\n")
    suite = GradedSuite(OPTION)
    suite.paths, suite.labs = paths, dict.fromkeys(paths, SimpleNamespace(builds_on=()))
    supervisor = Supervisor(suite, SimpleNamespace(items=[]), 0)
    suite.in_import = lambda stem: supervisor._hear({"import": stem})
    suite.load(list(paths), clean=True)
    ended = SimpleNamespace(poll=lambda: False, kill=lambda: None, code=3)
    with pytest.raises(LabError, match=r"two\.py: your code ended Python itself \(exit code 3\) while the file was"):
        supervisor._crashed(ended)


def test_a_run_may_take_the_seconds_that_the_manifest_sets() -> None:
    long, usual = SimpleNamespace(seconds=400.0), SimpleNamespace(seconds=None)
    lab = SimpleNamespace(own_seconds=lambda behaviour: behaviour.seconds)
    items = [SimpleNamespace(stash={LAB: lab, BEHAVIOUR: behaviour}) for behaviour in (long, usual)]
    assert Supervisor(SimpleNamespace(option=OPTION), SimpleNamespace(items=items), 0).limit == 490.0
