"""The graded suites are proven: known mistakes are caught, right answers are accepted, replay and junk win nothing."""

import os
from pathlib import Path

import pytest
from commandline import Finished
from msgspec import structs
from small_course import BOTH_STEPS, Course, small_course
from warm_python import ENVIRONMENT, python

from labkit.course import manifest
from labkit.course.errors import LabError
from labkit.course.manifest import Lab
from labkit.course.records import Record
from labkit.judge.diagnosis import Misconception, misconceptions
from labkit.proof import pages, problems
from labkit.proof.bank import Answer, read_bank
from labkit.proof.grading import Graded, Job
from labkit.proof.prove import Choice, Proof

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the proof forks; this system cannot"),
    pytest.mark.timeout(300),
]

LABS = manifest.load_all()
DOUBLE, HALVE = "test_double_is_twice", "test_halve_is_half"
BANK = {
    "mistakes/tiny/1_doubling/squares.py": '"""the number is squared."""\ndef double(x):\n    return x * x\n',
    "mistakes/tiny/1_doubling/nothing.py": '"""the number comes back."""\ndef double(x):\n    return x\n',
    "mistakes/tiny/2_halving/turned_round.py": '"""two is divided by x."""\ndef halve(x):\n    return 2 / x\n',
    "alternatives/tiny/1_doubling/product.py": '"""a product."""\ndef double(x):\n    return 2 * x\n',
}


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_suite_is_proven(lab: Lab):
    """In a process of its own: a parent that has computed with torch must not fork.

    A part of the bank, in a part of the minutes; `make check-lab04` and `make proof-lab04` grade all of it.
    """
    ran = python("-m", "labkit", "proof", lab.name, "--check", "--one-in", "30", limit=1000.0)
    assert ran.code == 0, ran.out[-5000:] + ran.err[-5000:]
    assert "The suite is proven." in ran.out


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_bank_is_large_enough(lab: Lab):
    bank = read_bank(lab)
    mistakes = [one for one in bank if one.kind == "mistake"]
    assert len(mistakes) >= len(lab.behaviours)
    assert len(bank) - len(mistakes) >= len(lab.steps)
    assert len({one.says for one in mistakes}) == len(mistakes), "two mistakes have the same sentence"


@pytest.fixture(scope="module")
def proven_course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A small course whose proof has written its pages."""
    course = course_with_bank(tmp_path_factory.mktemp("proof"))
    ran = prove(course)
    assert ran.code == 0, ran.out + ran.err
    (course.root / "proof.out").write_text(ran.out)
    return course


def course_with_bank(folder: Path) -> Course:
    course = small_course(folder)
    write(course, {"../solutions/tiny.py": BOTH_STEPS, **BANK})
    return course


def prove(course: Course, *options: str) -> Finished:
    return course.labkit("proof", "lab07", *options, TORCH="yes")


def write(course: Course, files: dict[str, str]) -> None:
    """Writes files, named by their paths from the tests."""
    for name, text in files.items():
        path = course.root / "tests" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_a_proof_shows_what_it_graded(proven_course: Course) -> None:
    out = (proven_course.root / "proof.out").read_text()
    assert "Graded 3 mistakes, 1 alternative and 1 replay under 1 seed." in out
    assert "Tests you could delete and still catch every mistake (0): none." in out
    assert out.splitlines()[-1] == "The suite is proven."
    assert all(len(line) <= 80 for line in out.splitlines())
    step_1 = out.partition("Step 1")[2].partition("Step 2")[0]
    assert [line.split() for line in step_1.splitlines()[1:7]] == [
        ["solution", "."], ["stub", "t"], ["replay", "F"], ["nothing", "F"], ["squares", "F"], ["product", "."],
    ]  # fmt: skip


def test_pages_have_an_entry_a_line_and_every_test(proven_course: Course) -> None:
    lab = proven_course.lab
    lines = lab.paths.misconceptions.read_text().splitlines()
    assert [line.partition(":")[0] for line in lines[1:-1]] == ['"nothing"', '"squares"', '"turned_round"']
    assert [(one.name, one.steps, list(one.fails)) for one in misconceptions(lab)] == [
        ("nothing", (1,), [DOUBLE]), ("squares", (1,), [DOUBLE]), ("turned_round", (2,), [HALVE]),
    ]  # fmt: skip
    page = lab.paths.misconceptions_page.read_text()
    section = page.partition(f"### `{HALVE}`\n")[2]
    assert f"What is right: {lab.asks(lab.behaviours[-1])}" in section
    assert section.endswith("- **turned round**: two is divided by x.\n")


def test_a_check_passes_after_a_proof_and_writes_nothing(proven_course: Course) -> None:
    before = proven_course.lab.paths.misconceptions.read_bytes()
    ran = prove(proven_course, "--check")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "The suite is proven.")
    assert proven_course.lab.paths.misconceptions.read_bytes() == before


WEAK_SUITE = """
def test_halve_is_half(observe, draw):
    observe(lab07.halved, x=draw.normal(4))
"""


def test_a_proof_finds_a_test_that_accepts_anything(tmp_path: Path) -> None:
    course = course_with_bank(tmp_path)
    suite = course.lab.paths.suite
    suite.write_text(suite.read_text().partition("def test_halve_is_half")[0] + WEAK_SUITE)
    ran = prove(course)
    assert ran.code == 1
    assert "PROBLEM: turned_round is wrong, but no test of its step fails under seed 0" in ran.out
    assert f"PROBLEM: the replay passes {HALVE} under seed 0" in ran.out
    assert f"PROBLEM: {HALVE} is proved by no mistake: none fails it" in ran.out
    assert f"PROBLEM: {HALVE} accepts junk: a tensor of nan" in ran.out


def test_an_answer_finds_nothing_that_another_has_left(tmp_path: Path) -> None:
    """Each spoils torch and the shared scenarios for good; the right ones pass all the same."""
    course = course_with_bank(tmp_path)
    spoils = '"""torch is spoilt ({})."""\nimport torch, sys\ntorch.Tensor.__add__ = lambda *_: 0\n'
    spoils += 'sys.modules["scenarios.tiny"].doubled = None\ndef double(x):\n    return 0\n'
    write(course, {f"mistakes/tiny/1_doubling/a{number}.py": spoils.format(number) for number in range(6)})
    out = prove(course, "--check").out
    assert "Graded 9 mistakes, 1 alternative" in out
    assert "is right, but fails" not in out
    assert "is wrong, but" not in out


def test_what_an_answer_leaves_goes_with_the_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scratch").mkdir()
    course = course_with_bank(tmp_path / "course")
    leaves = '"""a folder is left."""\nimport tempfile\ntempfile.mkdtemp("left")\ndef double(x):\n    return 0\n'
    write(course, {"mistakes/tiny/1_doubling/leaves.py": leaves})
    monkeypatch.setitem(ENVIRONMENT, "TMPDIR", str(tmp_path / "scratch"))
    assert "Graded 4 mistakes" in prove(course, "--check").out
    assert not list((tmp_path / "scratch").glob("*left"))


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("mistakes/tiny/astray.py", '"""says."""', "belongs in the folder of a step"),
        ("mistakes/tiny/halving/astray.py", '"""says."""', "belongs in the folder of a step"),
        ("mistakes/tiny/3_more/astray.py", '"""says."""', "the lab has no step 3; its steps are 1 to 2"),
        ("mistakes/tiny/2_halving/squares.py", '"""says."""', "has the same name; rename one"),
        ("alternatives/tiny/2_halving/mute.py", "x = 1", "needs a docstring"),
        ("alternatives/tiny/2_halving/torn.py", "def (", "torn.py, line 1: cannot be read as Python"),
    ],
)
def test_a_bad_file_in_the_bank_gets_one_line(name: str, text: str, line: str, tmp_path: Path) -> None:
    course = course_with_bank(tmp_path)
    write(course, {name: text})
    with pytest.raises(LabError) as error:
        read_bank(course.lab)
    assert line in str(error.value)
    assert "\n" not in str(error.value)


def graded(answer: Answer, tests: tuple[str, ...] = (DOUBLE, HALVE), **states: str) -> Graded:
    records = [
        Record("lab07", test, step, 1, seconds, "docs", state=states.get(key, "passed"), got=f"{key} = 1")
        for test, key, step, seconds in ((DOUBLE, "double", 1, 2.0), (HALVE, "halve", 2, 1.0))
        if key in states or not states
    ]
    return Graded(Job(answer, 0, tests), tuple(records))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return small_course(tmp_path_factory.mktemp("tiny")).lab


SOLUTION = Answer("solution", "solution")


def test_the_cheapest_known_test_is_chosen(tiny: Lab) -> None:
    known = [Misconception("wrong", "says", (1,), {DOUBLE: "x"})]
    choice = Choice(tiny, graded(SOLUTION), (), known)
    assert choice.by_cost() == (HALVE, DOUBLE)
    assert choice.by_cost(first_step=1) == (DOUBLE, HALVE)
    assert choice.cheapest(Answer("wrong", "mistake", step=1), 0).tests == (DOUBLE,)
    assert choice.cheapest(Answer("new", "mistake", step=2), 0).tests == (HALVE,)
    waits = Misconception("waits", "says", (1,), {DOUBLE: "x = 1", HALVE: "rank # gave no answer within # s"})
    one_step = structs.replace(tiny, behaviours=tuple(structs.replace(one, step=1) for one in tiny.behaviours))
    slow_but_ends = Choice(one_step, graded(SOLUTION), (), [waits]).cheapest(Answer("waits", "mistake", step=1), 0)
    assert slow_but_ends.tests == (DOUBLE,)
    assert choice.whole(Answer("right", "alternative", step=1), 0).tests == (DOUBLE, HALVE)
    assert choice.whole(Answer("wrong", "mistake", step=1), 0).tests == (DOUBLE,)


def test_tests_of_missing_packages_are_put_to_nobody(tiny: Lab) -> None:
    choice = Choice(tiny, graded(SOLUTION, double="passed", halve="skipped"), (HALVE,))
    assert choice.every == (DOUBLE,)
    proof = Proof([graded(SOLUTION, double="passed", halve="skipped")], [one("a", DOUBLE)], (HALVE,))
    assert problems.problems(tiny, proof) == []


def one(name: str, *fails: str) -> Misconception:
    return Misconception(name, "says", (1,), dict.fromkeys(fails, "double = #"))


@pytest.mark.parametrize(
    ("known", "spare"),
    [
        ([one("a", DOUBLE), one("b", HALVE)], []),
        ([one("a", DOUBLE, HALVE), one("b", HALVE)], [DOUBLE]),
        ([one("a", DOUBLE, HALVE)], [DOUBLE, HALVE]),
        ([one("a")], [DOUBLE, HALVE]),
    ],
)
def test_needless_tests(known: list[Misconception], spare: list[str], tiny: Lab) -> None:
    assert problems.needless(tiny, known) == spare


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (
            graded(SOLUTION, double="passed", halve="failed"),
            f"solution is right, but fails {HALVE} (failed) under seed 0",
        ),
        (graded(Answer("stub", "stub"), double="todo", halve="passed"), f"the stub passes {HALVE} under seed 0"),
        (
            graded(Answer("bad", "mistake", step=1), (DOUBLE,), double="passed"),
            f"bad is wrong, but no test of its step fails under seed 0; it passes {DOUBLE}",
        ),
        (graded(Answer("r", "alternative", step=1), double="passed"), f"r: {HALVE} did not run under seed 0"),
        (Graded(Job(SOLUTION, 0, (DOUBLE,)), (), "no file"), "solution gave no verdicts under seed 0: no file"),
    ],
)
def test_problems_name_answer_test_and_seed(found: Graded, line: str, tiny: Lab) -> None:
    assert problems.problems(tiny, Proof([found], [one("a", DOUBLE, HALVE)], ())) == [line]


def test_numbers_agree_with_their_nouns(tiny: Lab) -> None:
    proof = Proof([graded(SOLUTION)], [], ())
    assert pages.conclusion(tiny, proof, ["x"]).splitlines()[-1] == "1 problem."
    assert pages.conclusion(tiny, proof, ["x", "y"]).splitlines()[-1] == "2 problems."


def test_a_sample_of_the_bank_knows_what_it_leaves_out(proven_course: Course) -> None:
    ran = prove(proven_course, "--check", "--one-in", "2")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "The suite is proven.")
    assert "Graded 2 mistakes, 0 alternatives" in ran.out
    refused = prove(proven_course, "--one-in", "2")
    assert refused.code == 2 and "--one-in is for --check" in refused.err


def test_a_check_sees_what_has_changed_since_the_pages_were_written() -> None:
    wrong = graded(Answer("a", "mistake", "says", 1), (DOUBLE,), double="failed")
    assert problems.out_of_date(Proof([wrong], [one("a", DOUBLE)], ())) == []
    assert problems.out_of_date(Proof([wrong], [], ())) == ["a is new"]
    assert problems.out_of_date(Proof([wrong], [one("a", DOUBLE), one("b", DOUBLE)], ())) == ["b is gone"]
    other = Misconception("a", "says more", (1,), {DOUBLE: "double = nan"})
    assert problems.out_of_date(Proof([wrong], [other], ())) == [
        "a has another sentence or step", "1 of 1 mistakes fail in another way",
    ]  # fmt: skip
