"""Submissions that want points which are not theirs, or harm: what becomes of each, at every level that works here.

A file's docstring says what it tries and what it gets: "import: TEXT" if it cannot be imported, with this text in the
line that says why; else "double: STATES", of which the test of `double` has one, and from which level on if the weaker
ones do not promise it. All of them have an honest `halve`, which loses nothing. Where two things may end a file, which
of them does depends on the speed of the machine: "import: this|that".

The strongest level that works here meets all of them, a weaker one a fifth; with HOSTILE=all it meets all too.
"""

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import pytest
from small_course import BOTH_STEPS, FILES, Course, small_course

from labkit.course.confine import SIGNALS_SINCE, landlock_version
from labkit.course.errors import LabError
from labkit.course.processes import children_of
from labkit.course.records import Record
from labkit.judge import verdicts
from labkit.judge.draw import Draw
from labkit.observe import disk, sandbox
from labkit.observe.answer import Answer
from labkit.observe.isolation import Level, strongest, what_works
from labkit.observe.local import observe_with
from labkit.observe.sandbox import Sandbox, Sandboxed

BANK = sorted(Path(__file__).with_name("hostile").glob("*.py"))
SAMPLE = BANK if os.environ.get("HOSTILE") == "all" else BANK[::5]
LEVELS = [Level.LIMITS, Level.LANDLOCK, Level.BUBBLEWRAP]
PATIENT, SHORT = 30.0, 1.0  # seconds for an import or a test: one that ends, and one that shall run into its limit
LATE = 4.0  # seconds that a server has, which a submission may have stopped
TESTS = ("test_double_is_twice", "test_halve_is_half")
FORGE_ALL = ("lie_patches_answer", "lie_patches_builtins", "lie_replies_early", "lie_steals_descriptors")
LAST_WORDS = re.compile(r"^(import|double): ?(.*?)(?:, from (\w+) on)?$", re.MULTILINE)


class Judge:
    """Puts the tests of the small course to any file, all in one sandbox, with the plugin's own parts."""

    def __init__(self, course: Course, level: Level, port: int) -> None:
        self.course, self.level, self.port, self.files = course, level, port, 0
        self.sandbox = Sandbox(course.lab, course.file, level, limit=PATIENT)
        scenarios = ModuleType("scenarios.tiny")
        exec(FILES["tests/scenarios/tiny.py"], scenarios.__dict__)
        self.suite = {"lab07": scenarios}
        exec(FILES["tests/test_tiny.py"].replace("from scenarios import tiny as lab07", ""), self.suite)

    @property
    def spares_others(self) -> bool:
        """Whether a submission may signal nobody else, and change no file of the one who runs these tests."""
        signals = (
            landlock_version() >= SIGNALS_SINCE if self.level == Level.LANDLOCK else self.level == Level.BUBBLEWRAP
        )
        return signals or self.sandbox.box.uid is not None

    def __call__(self, text: str, seconds: float, importing: float = PATIENT) -> list[Record]:
        """The record of each test. Raises LabError if the file cannot be imported, or not in `importing` seconds."""
        if importing != self.sandbox.limit:
            self.sandbox.end()  # a server has one limit
            self.sandbox.limit = importing
        own = self.sandbox.box.folder / "submission" / "tiny.py"
        own.write_text(text.replace("/the/course", str(self.course.root)).replace("12345", str(self.port)))
        self.files += 1
        self.sandbox.load()
        return [self._record(test, seconds) for test in TESTS]

    def _record(self, test: str, seconds: float) -> Record:
        lab, answers = self.course.lab, list[Answer]()
        behaviour = next(behaviour for behaviour in lab.behaviours if behaviour.id == test)
        seconds = seconds if behaviour.step == 1 else PATIENT
        observe = observe_with(Sandboxed(self.sandbox, f"{test} of {self.files}", seconds, seconds), answers)
        draw = Draw(os.urandom(8).hex(), test)
        call = pytest.CallInfo.from_call(lambda: self.suite[test](observe, draw), "call")
        return verdicts.verdict(lab, behaviour, call, answers)


@pytest.fixture(scope="module")
def course() -> Iterator[Course]:
    """A course whose files anyone may read, as they are where submissions are graded."""
    with TemporaryDirectory(prefix="labkit-hostile-") as folder:
        os.chmod(folder, 0o755)
        made = small_course(Path(folder))
        (made.root / "solutions").mkdir()
        (made.root / "solutions" / "tiny.py").write_text(BOTH_STEPS)
        yield made


@pytest.fixture(scope="module", params=LEVELS)
def judge(request: pytest.FixtureRequest, course: Course) -> Iterator[Judge]:
    level = request.param
    if reason := what_works()[level]:
        pytest.skip(f"--isolation {level} does not work here: {reason}")
    before, files = set(children_of(os.getpid())), _files(course.root)
    os.environ["LABKIT_SECRET"] = "points 7 of 7"
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sandbox, "LATE", LATE)
        made = Judge(course, level, server.getsockname()[1])
        try:
            yield made
        finally:
            del os.environ["LABKIT_SECRET"]
            made.sandbox.close()
    assert set(children_of(os.getpid())) == before
    assert not made.sandbox.box.folder.exists()
    assert _files(course.root) == files


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_bank_is_large() -> None:
    assert len(BANK) >= 60
    assert sum(path.stem.startswith(("import", "lie")) for path in BANK) >= 30


def test_an_honest_file_has_its_points(judge: Judge) -> None:
    assert [record.earned for record in judge(BOTH_STEPS, PATIENT)] == [3, 4]


def test_a_disk_without_room_is_nobodys_zero(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    if judge.level == Level.BUBBLEWRAP:
        pytest.skip("it writes to memory alone")
    monkeypatch.setattr(disk, "LEAST_LEFT", 2**80)
    assert judge._record(TESTS[0], PATIENT).state == "grader_error"
    with pytest.raises(LabError, match="the course's own machinery failed"):
        judge(BOTH_STEPS, PATIENT)


@pytest.mark.parametrize("path", BANK, ids=[path.stem for path in BANK])
def test_nobody_gains_a_point(judge: Judge, path: Path) -> None:
    text = path.read_text()
    place, said, level = LAST_WORDS.findall(text)[0]
    if level and not judge.level.reaches(Level(level)):
        pytest.skip(f"--isolation {judge.level} promises nothing of this kind")
    if judge.level != strongest() and path not in SAMPLE:
        pytest.skip(f"--isolation {judge.level} meets it with HOSTILE=all")
    if not judge.spares_others and (level or path.stem == "import_kill_all"):
        pytest.skip(f"--isolation {judge.level} is of the user of the tests here, who would be harmed")
    if place == "import":
        with pytest.raises(LabError) as refused:
            judge(text, PATIENT, PATIENT if said and "no answer" not in said else SHORT)
        line = str(refused.value)
        assert line.startswith(str(judge.course.file)) and line.isprintable()
        assert any(words in line for words in said.split("|"))
        return
    double, halve = judge(text, SHORT if "timeout" in said else PATIENT)
    assert double.state in said.split() and double.earned == 0, double
    assert halve.earned == 4 or path.stem in FORGE_ALL, halve
