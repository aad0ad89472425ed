"""What a terminal shows of a run: all of it in 80 columns, with totals that count what was not run."""

import re

import pytest
from msgspec.structs import replace

from labkit.course.manifest import Behaviour, Lab, Step
from labkit.course.records import NO_EXCEPTION, Record
from labkit.course.screen import Line, pieces
from labkit.judge.lines import lines
from labkit.judge.summary import UNJUDGED, WORDS

LONG = "A title that is far too long for the line of a step, and then some"


def lab(tmp_path, counts: tuple[int, ...] = (22, 2), points: int = 5, title: str = LONG) -> Lab:
    """A lab with so many behaviours in its steps."""
    steps = [
        Step(number, title, 20, "reading", {f"write_{number}": "write it"}, ("a", "b", "c"))
        for number in range(1, len(counts) + 1)
    ]
    behaviours = [
        Behaviour(f"test_{step.number}_behaviour_number_{index}_of_this_step", step.number, points, "why", "reading")
        for step, count in zip(steps, counts, strict=True)
        for index in range(count)
    ]
    return Lab(7, LONG, "tiny", "docs/07_tiny.md", "goal", tmp_path / "labs" / "lab07", tuple(steps), tuple(behaviours))


def record(lab: Lab, index: int, state: str, **more: str) -> Record:
    one = lab.behaviours[index]
    earned = one.points if state == "passed" else 0
    failure = {"got": "x = 3", "expected": "4", "why": "two and two"} if state not in ("passed", "todo") else {}
    needs = {"todo": f"Step {one.step}: write_{one.step}", "blocked": "Step 2: write_2", "skipped": "deepspeed"}
    failure |= {"needs": needs.get(state, ""), **more}
    return Record("lab07", one.id, one.step, one.points, 0.1, "docs/07_tiny.md#reading", state, earned, **failure)


def shown(said: list[Line], columns: int = 80) -> list[str]:
    return [piece for line in said for piece in pieces(line, columns)]


@pytest.mark.parametrize("points", [1, 50])
def test_everything_fits_80_columns(tmp_path, points: int) -> None:
    """All states in one step, titles too long, totals of three and four digits."""
    tiny = lab(tmp_path, (2 * len(WORDS), 3), points)
    states = [*WORDS, *WORDS][: 2 * len(WORDS) - 1]
    records = [record(tiny, index, state) for index, state in enumerate(states)]
    said = shown(lines(tiny, records, "src/tiny.py"))
    assert [text for text in said if len(text) > 80] == []
    for word in (*WORDS.values(), "not run"):
        assert word in " ".join(said), word


@pytest.mark.parametrize("state", list(WORDS))
def test_every_state_alone_fits_and_names_what_to_do(tmp_path, state: str) -> None:
    tiny = lab(tmp_path, (1,))
    said = shown(lines(tiny, [record(tiny, 0, state)], "src/tiny.py"))
    assert max(map(len, said)) <= 80
    assert f"1 {WORDS[state]}" in "\n".join(said)
    settled = state in ("passed", *UNJUDGED)
    assert any(text.startswith("Next: ") for text in said) is not settled


def test_totals_count_what_was_not_run(tmp_path) -> None:
    """After a hang: the points of the step stay what they are."""
    tiny = lab(tmp_path, (4, 2), points=10)
    said = shown(lines(tiny, [record(tiny, 0, "passed"), record(tiny, 1, "timeout")], "src/tiny.py"))
    (first,) = [text for text in said if text.startswith("  1 ")]
    assert re.search(r" 10 of  40  1 passed,", first)
    assert "2 not run" in " ".join(said)
    assert any(re.search(r"points +10 of +60$", text) for text in said)


def test_a_step_says_from_which_one_its_failures_may_follow(tmp_path) -> None:
    tiny = lab(tmp_path, (1, 1, 1, 1))
    first, second, third, fourth = tiny.steps
    tiny = replace(
        tiny, steps=(first, second, replace(third, builds_on_steps=(1,)), replace(fourth, builds_on_steps=(3,)))
    )
    records = [record(tiny, index, state) for index, state in enumerate(("passed", "failed", "failed", "failed"))]
    assert [text for text in shown(lines(tiny, records, "src/tiny.py")) if "may follow" in text] == [
        "    step 3 is not right yet; this may follow from it"
    ]
    records[3] = record(tiny, 3, "passed")
    assert not any("may follow" in text for text in shown(lines(tiny, records, "src/tiny.py")))


def test_without_a_word_of_it_failures_may_follow_from_any_earlier_step(tmp_path) -> None:
    tiny = lab(tmp_path, (1, 1, 1))
    records = [record(tiny, index, state) for index, state in enumerate(("passed", "failed", "timeout"))]
    text = "\n".join(shown(lines(tiny, records, "src/tiny.py")))
    assert text.count("may follow") == 1
    assert re.search(r"^  3 .*1 timeout\n    step 2 is not right yet; this may follow from it$", text, re.MULTILINE)


def test_tests_that_were_not_asked_for_do_not_count(tmp_path) -> None:
    tiny = lab(tmp_path, (4, 2))
    one = record(tiny, 0, "passed")
    said = shown(lines(tiny, [one], "src/tiny.py", asked=[one.id]))
    assert any(re.search(r"points +5 of +5$", text) for text in said)
    assert said[-1] == "All that ran passed: 1 of 6 tests."


def test_missing_package_costs_no_points_and_is_named(tmp_path) -> None:
    tiny = lab(tmp_path, (2, 1), points=33)
    records = [record(tiny, 0, "passed"), record(tiny, 1, "skipped"), record(tiny, 2, "skipped")]
    said = shown(lines(tiny, records, "src/tiny.py"))
    assert any(text.endswith("points  33 of  33, 66 more with deepspeed") for text in said)
    assert any(text.endswith("pip install deepspeed") for text in said)
    assert said[-1] == "All that can run here passed."


def test_failure_of_the_machinery_is_not_the_students(tmp_path) -> None:
    tiny = lab(tmp_path, (3,))
    what = "this machine has no loopback interface, which processes need to talk to each other"
    said = shown(
        lines(tiny, [record(tiny, 0, "passed"), *(record(tiny, n, "grader_error", got=what) for n in (1, 2))], "f.py")
    )
    text = " ".join(" ".join(said).split())
    assert f"the course's own machinery failed: {what}; not your fault. The same in 1 more." in text
    assert re.search(r"points +5 of +5$", "\n".join(said), re.MULTILINE)
    assert "expected:" not in text and "Everything passed" not in text


def test_one_exception_is_shown_once(tmp_path) -> None:
    """Also where it came in the place of a value, which is named differently in every test."""
    tiny = lab(tmp_path, (7,))
    error = "RuntimeError: expected m1 and m2 to have the same dtype, but got: {}, line 12: return a @ b"
    records = [
        record(tiny, 0, "failed", got=error.format("Half"), expected=NO_EXCEPTION),
        record(tiny, 1, "failed", got=error.format("float"), expected=NO_EXCEPTION),
        *(record(tiny, n, "failed", got=f"layer {n} = {error.format('Half')}", expected="a tensor") for n in (2, 3, 4)),
        record(tiny, 5, "failed", got=error.format("Half").replace("12", "14"), expected=NO_EXCEPTION),
        record(tiny, 6, "failed"),
    ]
    text = " ".join(" ".join(shown(lines(tiny, records, "src/tiny.py"))).split())
    assert text.count("expected m1 and m2") == 2
    assert "same in: 4 more: test_1_behaviour_number_1_of_this_step" in text and "..." in text


def test_one_endless_loop_is_shown_once(tmp_path) -> None:
    """And once what was not run because of it; not together with another loop, or another cause."""
    tiny = lab(tmp_path, (7,))
    got = "no answer within 30 s, line {}: while True:"
    loop = "look for an endless loop"
    records = [
        *(record(tiny, n, "timeout", got=got.format(12), why=loop) for n in (0, 1)),
        record(tiny, 2, "timeout", got=got.format(14), why=loop),
        record(tiny, 3, "timeout", got=got.format(14), why="a rank waits for another"),
        *(record(tiny, n, "timeout", got="not run: 2 tests of this step gave no answer", why=loop) for n in (4, 5, 6)),
    ]
    text = " ".join(" ".join(shown(lines(tiny, records, "src/tiny.py"))).split())
    assert (text.count("line 12"), text.count("line 14"), text.count("not run:")) == (1, 2, 1)
    assert "same in: 1 more" in text and "same in: 2 more" in text


def test_no_control_character_reaches_a_terminal(tmp_path) -> None:
    tiny = lab(tmp_path, (1,))
    got = "RuntimeError: \x1b[31;1mred\x1b[0m \x1b]0;title\x07\x1b(Bbell\x07\x9b1m, line 3: x"
    records = [record(tiny, 0, "failed", got=got, printed="\x1b[32mgreen\x1b[0m\rover\tit")]
    said = "\n".join(shown(lines(tiny, records, "src/tiny.py")))
    assert "RuntimeError: red bell" in said and "green" in said
    assert re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", said) == []


def test_failures_of_the_first_step_come_first_and_the_others_are_counted(tmp_path) -> None:
    tiny = lab(tmp_path, (2, 9))
    records = [record(tiny, index, "failed") for index in range(11)]
    text = " ".join(" ".join(shown(lines(tiny, records, "src/tiny.py", step=None))).split())
    assert text.count("expected:") == 2
    assert "and 9 more; all of them: .venv/bin/python -m pytest -v tests/test_tiny.py" in text
    assert " ".join(shown(lines(tiny, records, "src/tiny.py", verbose=True))).count("expected:") == 11


@pytest.mark.parametrize(
    "command",
    [
        "make test-lab04 STEP=1",
        "make explain-lab04 TEST=test_a",
        ".venv/bin/python -m pytest -v tests/test_x.py --impl src",
    ],
)
def test_a_command_is_not_broken_where_it_fits(command: str) -> None:
    for length in range(40, 80):
        said = pieces(Line(f"{'x' * (length - 5)}, then: {command} and more", "", 6), 80)
        assert sum(command in piece for piece in said) == 1, said
        assert max(map(len, said)) <= 80


def test_a_command_that_is_too_long_is_wrapped_like_text() -> None:
    said = pieces(Line(f"all: .venv/bin/python -m pytest -v {'tests/some_long_name.py ' * 4}", "", 6), 80)
    assert len(said) > 1 and max(map(len, said)) <= 80
