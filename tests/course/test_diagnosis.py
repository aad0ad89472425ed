"""Failed tests are traced to the known mistake that fails the same ones, and to none where that would be a guess."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from labkit.course import manifest
from labkit.course.errors import LabError
from labkit.course.records import NO_EXCEPTION, Record
from labkit.judge.diagnosis import Misconception, diagnose, misconceptions, symptom


def known(name: str, *fails: str, steps: tuple[int, ...] = (1,), how: str = "x = #") -> Misconception:
    return Misconception(name, f"{name} is wrong.", steps, dict.fromkeys(fails, how))


def records(step: int = 1, got: str = "x = 3.5", **states: str) -> list[Record]:
    return [Record("lab04", test, step, 1, 0.0, "", state, got=got) for test, state in states.items()]


F, P = "failed", "passed"


def test_same_failures_are_the_mistake() -> None:
    bank = [known("scale", "a", "b"), known("clip", "a", "c")]
    assert diagnose(records(a=F, b=F, c=P), bank) == "This looks like: scale is wrong."


def test_timeout_counts_as_failure() -> None:
    assert diagnose(records(a=F, b="timeout"), [known("scale", "a", "b")]) == "This looks like: scale is wrong."


@pytest.mark.parametrize(
    ("states", "says"),
    [
        ({"a": F, "b": F, "c": F, "d": P}, "Perhaps: scale is wrong."),  # 3 of 4 in common, the least that counts
        ({"a": F, "b": F, "c": F, "d": F, "e": F}, "Perhaps: scale is wrong."),  # 4 of 5
        ({"a": F, "b": F, "c": F, "d": F, "e": F, "f": F}, ""),  # 4 of 6
        ({"a": F, "b": F, "c": P, "d": P}, ""),  # 2 of 4
        ({"a": P, "b": P, "c": P, "d": P, "e": F}, ""),  # none
    ],
)
def test_similar_failures_are_perhaps_the_mistake(states: dict[str, str], says: str) -> None:
    assert diagnose(records(**states), [known("scale", "a", "b", "c", "d")]) == says


def test_two_mistakes_that_come_near_are_a_guess_too_many() -> None:
    failed = records(a=F, b=F, c=F, d=P, e=P)
    assert diagnose(failed, [known("scale", "a", "b", "c", "d"), known("clip", "a", "b", "c", "e")]) == ""


def test_a_misspelt_name_is_no_misconception() -> None:
    slip = replace(records(a=F)[0], got="NameError: name 'scalar' is not defined", expected=NO_EXCEPTION)
    assert diagnose([slip], [known("scale", "a")]) == ""
    of_dtypes = replace(slip, got="RuntimeError: expected m1 and m2 to have the same dtype, line 9: model(inputs)")
    assert diagnose(
        [of_dtypes], [known("scale", "a", how="RuntimeError: expected m1 and m2 to have the same dtype")]
    ) == ("This looks like: scale is wrong.")


def test_an_exception_that_a_mistake_is_known_to_raise_is_no_slip() -> None:
    """One by its type: which test raises it first, and what its message says, may have been drawn."""
    slip = replace(records(a=F)[0], got="AssertionError: No inf checks, line 9: scaler.step()", expected=NO_EXCEPTION)
    bank = [known("scale", "a", "b", "c", how="AssertionError: No inf checks")]
    assert diagnose([slip], bank) == "This looks like: scale is wrong."
    others = [replace(slip, id="b"), replace(slip, id="c", got="AssertionError: prior to update, line 2: update()")]
    assert diagnose([slip, *others], bank) == "Perhaps: scale is wrong."
    misspelt = replace(slip, id="c", got="NameError: name 'scalar' is not defined")
    assert diagnose([slip, others[0], misspelt], bank) == ""


def test_the_way_of_failing_tells_mistakes_of_one_test_apart() -> None:
    """Four would be too many to name; and a fifth way is none of them."""
    ways = {"one": "loss = #", "two": "loss = nan", "three": "step_skipped = #", "four": "loss = 0"}
    bank = [known(name, "a", "b", how=how) for name, how in ways.items()]
    for got, says in (("loss = 7.25", "one"), ("loss = nan", "two"), ("step_skipped = 1e-05", "three")):
        assert diagnose(records(got=got, a=F, b=F), bank) == f"This looks like: {says} is wrong."
    assert diagnose(records(got="loss = None", a=F, b=F), bank) == ""


@pytest.mark.parametrize(
    ("got", "expected", "how"),
    [
        ("weight[3, 11] = -1.5e-05, float32 (3 of 40 are off)", "", "weight[#, #] = #, float32 (# of # are off)"),
        ("weight of 0.weight moved by = 0.0, float32", "", "weight of #.weight moved by = 0, float32"),
        ("step_skipped[2] = True", "False", "step_skipped[#] = True"),
        ("loss = inf", "a float, 2.5", "loss = inf"),
        ("output: float16, shape (4, 3)", "", "output: float16, shape (#, #)"),
        ("ValueError: not 3 but 4, line 12: raise ValueError", NO_EXCEPTION, "ValueError: not # but #"),
        ("inner = RuntimeError: Half\nand more", "a tensor", "inner = RuntimeError: Half"),
        ("no answer within 30 s", "an answer", "no answer within # s"),
    ],
)
def test_symptom_is_the_failure_without_its_numbers(got: str, expected: str, how: str) -> None:
    assert symptom(Record("lab04", "a", 1, 1, 0.0, "", F, got=got, expected=expected)) == how


def test_nothing_failed_and_nothing_known_say_nothing() -> None:
    assert diagnose(records(a=P, b=P), [known("scale", "a")]) == ""
    assert diagnose(records(a="todo", b="blocked"), [known("scale", "a", "b")]) == ""
    assert diagnose(records(a=F), []) == ""
    assert diagnose([], [known("scale", "a")]) == ""


def test_tests_without_a_verdict_do_not_count() -> None:
    """In an unfinished file b and c are not written yet: whether they would fail is not known."""
    bank = [known("scale", "a", "b", "c"), known("clip", "b", "d")]
    assert diagnose(records(a=F, b="todo", c="blocked", d=P), bank) == "This looks like: scale is wrong."
    assert diagnose(records(a=F, d=P), bank) == "This looks like: scale is wrong.", "some tests were not run"


def test_first_failed_step_decides() -> None:
    """What fails later may only follow from it."""
    bank = [known("late", "z", steps=(2,)), known("early", "a", "z", steps=(1, 2)), known("elsewhere", "a", steps=(2,))]
    found = diagnose([*records(1, a=F, b=P), *records(2, y=F, z=F)], bank)
    assert found == "This looks like: early is wrong."


def test_two_mistakes_alike_are_both_named() -> None:
    bank = [known("one", "a"), known("two", "a"), known("three", "a", "b")]
    assert diagnose(records(a=F, b=P), bank) == "This looks like: one is wrong. Or: two is wrong."


def test_many_mistakes_alike_are_not_named() -> None:
    assert diagnose(records(a=F), [known(name, "a") for name in ("one", "two", "three", "four")]) == ""


# The file that the proof writes -----------------------------------------------------------------------------------


@pytest.fixture
def lab(tmp_path: Path) -> manifest.Lab:
    return manifest.Lab(7, "", "tiny", "", "", tmp_path, (), ())


def test_without_a_proof_nothing_is_known(lab: manifest.Lab) -> None:
    assert misconceptions(lab) == []


def test_what_the_proof_wrote_is_known(lab: manifest.Lab) -> None:
    entry = {"says": "scale is wrong.", "steps": [1], "fails": {"a": "x = #", "b": "x = #"}}
    (lab.folder / "misconceptions.json").write_text(json.dumps({"scale": entry}))
    assert misconceptions(lab) == [known("scale", "a", "b")]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"scale": 3}', '{"scale": {"says": "", "steps": [1]}}', "\x00"])
def test_damaged_file_is_one_line(lab: manifest.Lab, text: str) -> None:
    path = lab.folder / "misconceptions.json"
    path.write_text(text)
    with pytest.raises(LabError) as caught:
        misconceptions(lab)
    assert str(caught.value).startswith(f"{path}: is damaged")
    assert "make proof-lab07" in str(caught.value)


def test_file_that_is_no_text_is_one_line(lab: manifest.Lab) -> None:
    (lab.folder / "misconceptions.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(LabError, match="is damaged"):
        misconceptions(lab)


def test_another_seed_may_draw_another_dtype() -> None:
    bank = [known("scale", "a", "b", how="loss in c10::Half = #"), known("clip", "a", how="loss in bfloat16 = nan")]
    assert diagnose(records(a=F, b=F, got="loss in c10::BFloat16 = 2"), bank) == "This looks like: scale is wrong."
    assert diagnose(records(a=F, b=P, got="loss in bfloat16 = nan"), bank) == "This looks like: clip is wrong."


@pytest.mark.parametrize(
    ("drawn", "instead"),
    [
        ("cross_entropy(..., mean) = 2.5, float32", "cross_entropy(..., none), at [3] = 2.5, float32 (4 of 9 are off)"),
        ("gradient of x, at [3, 1] = 2.0, bfloat16 (4 of 9 are off)", "gradient of x, at [2] = 3.0, float16"),
        ("output: bfloat16, shape (3, 4)", "output: float16, shape (5,)"),
        ("gradients, at [1] = bfloat16 (4,) [1, 2, nan, 1]", "gradients, at [0] = float16 (2, 1) [inf, 2]"),
        ("weight after step 2, at [4] = -inf, float32 (1 of 9 are off)", "weight after step 3 = inf, float32"),
    ],
)
def test_another_seed_may_draw_other_cases(drawn: str, instead: str) -> None:
    bank = [known("scale", "a", how=symptom(records(a=F, got=drawn)[0])), known("clip", "a", how="weight = nan")]
    assert diagnose(records(a=F, got=instead), bank) == "This looks like: scale is wrong."


def test_another_kind_of_value_is_another_failure() -> None:
    bank = [known("scale", "a", "b", how="loss of step #, at [#] = nan, float32")]
    for got in (
        "loss of step 3, at [1] = 2.5, float32",
        "loss of step 3 = None",
        "loss of a batch, at [1] = nan, float32",
    ):
        assert diagnose(records(a=F, b=F, got=got), bank) == ""


def test_tests_that_fail_in_other_ways_count_half() -> None:
    """Which case of a test fails first may have been drawn; if all fail otherwise, it is another mistake."""
    bank = [known("scale", "a", "b", "c", "d")]
    other = [*records(a=F, b=F), *records(c=F, d=F, got="y = None")]
    assert diagnose(other, bank) == "Perhaps: scale is wrong."
    assert diagnose(records(a=F, b=F, c=F, d=F, got="y = None"), bank) == ""
