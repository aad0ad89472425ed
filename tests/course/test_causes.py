"""The likely cause of an exception is told from what was really raised, in the student's file or after it returned."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from msgspec import structs
from torch import nn

from labkit.course import manifest
from labkit.course.errors import LabError
from labkit.course.manifest import Lab
from labkit.judge.causes import ELSE, ELSE_SILENT, cause, cause_of_failure, of_lab
from labkit.observe.values import Raised

LINE = "line 12: the student's"


class Trainer:
    def training_step(self) -> None:
        pass


def none() -> None:
    return None


def raised(call: Callable[[], object], where: str) -> Raised:
    try:
        call()
    except Exception as error:
        return Raised.of(error, where)
    raise AssertionError("nothing was raised")


def unpacked(value: object) -> None:
    _one, _other = value


LAB04 = manifest.find("lab04")


def elsewhere(root: Path) -> Lab:
    """The lab without its own code: as if it were in the repository at `root`."""
    return structs.replace(LAB04, folder=root / "labs" / LAB04.folder.name)


@pytest.mark.parametrize(
    ("call", "where", "says"),
    [
        (lambda: torch.amp.GradScaler("cpu").unscale(None), LINE, "misspelt"),
        (lambda: torch.autocats("cpu"), LINE, "misspelt"),
        (lambda: torch.ones(1).float32(), LINE, "misspelt"),
        (lambda: torch.amp.GradScaler("cpu", enabled=False)._growth_factor, LINE, "a scaler that is off"),
        (lambda: none().backward(), LINE, "something is None there"),
        (lambda: nn.BatchNorm1d(3)(torch.ones(1, 3)), LINE, "set eval mode"),
        (lambda: torch.ones(1).backward(), LINE, "the loss has lost its graph"),
        (lambda: none().detach(), "", "None came back where a value is asked for"),
        (lambda: unpacked(none()), "", "None came back where a value is asked for"),
        (lambda: float(none()), "", "None came back where a value is asked for"),
        (lambda: none(1), "", "keep its signature"),
        (lambda: Trainer().dtype, LINE, "is it set in __init__, on self?"),
        (lambda: {}.scale(1), LINE, "this is a dict"),
        (lambda: unpacked(Trainer()), LINE, "a method without self"),
        (lambda: unpacked(none()), LINE, "something is None there"),
        (lambda: (1, 2).detach(), "", "of another type than the skeleton's"),
        (lambda: torch.ones(1).backward(), "", "what came back has lost its graph"),
        (lambda: Trainer().train_step(), "", "the tests ask for that name"),
        (lambda: unpacked((1, 2, 3)), "", "another number of values"),
        (lambda: 1 / 0, "", "is not what the test goes on with"),
        (lambda: torch.amp.GradScaler(65536.0, 2.0, 0.5, 2000), LINE, "given by position"),
        (lambda: torch.amp.GradScaler("cpu", growth_factor=0.5), LINE, "or two swapped?"),
        (lambda: torch.ones(2).half() @ torch.ones(2), LINE, "a half tensor meets a float32 one"),
        (lambda: 1 / 0, LINE, "see what the message says"),
    ],
)
def test_cause(call: Callable[[], object], where: str, says: str) -> None:
    assert says in cause(raised(call, where), LAB04)


@pytest.mark.parametrize(
    ("call", "ends"),
    [
        (lambda: torch.amp.GradScaler("cpu").unscale(None), "has no attribute 'unscale'; it has 'unscale_'"),
        (lambda: Trainer().train_step(), "has no attribute 'train_step'; it has 'training_step'"),
        (lambda: Trainer().scaler, "has no attribute 'scaler'"),
        (lambda: none().detach(), "'NoneType' object has no attribute 'detach'"),
    ],
)
def test_a_name_like_the_one_that_is_missing_is_named(call: Callable[[], object], ends: str) -> None:
    assert raised(call, "").message.endswith(ends)


def test_cause_is_said_only_where_it_is_true() -> None:
    """A message that explains nothing is not said to explain; pdb without a keyboard is no error in the code."""
    assert cause(Raised("ValueError", "a limit below 0", LINE)) == ELSE
    assert cause(Raised("AssertionError", "", LINE)) == ELSE_SILENT
    for where in (LINE, ""):
        assert "watch has no keyboard for pdb: run that test alone" not in cause(Raised("ValueError", "", where))
        assert "run that test alone with pytest -k" in cause(Raised("BdbQuit", "", where))


def test_only_the_lab_knows_of_its_library() -> None:
    twice = Raised(
        "RuntimeError", "unscale_() has already been called on this optimizer since the last update().", LINE
    )
    assert "between two update()" in cause(twice, LAB04)
    assert cause(twice) == ELSE


@pytest.mark.parametrize(
    ("test", "got", "says"),
    [
        ("test_scaler_takes_every_setting", "state_dict()['scale'] = None", "the scaler is off"),
        ("test_scaler_takes_every_setting", "state_dict()['scale'] = 1024", ""),
        ("test_cross_entropy_survives_extreme_logits", "fp32_cross_entropy(logits)[0] = nan, float32", "0 x -inf"),
        ("test_cross_entropy_survives_extreme_logits", "fp32_cross_entropy(logits)[0] = 3.5, float32", ""),
        ("test_step_trains_in_each_format", "loss = nan", ""),
    ],
)
def test_cause_looks_at_what_came_back(test: str, got: str, says: str) -> None:
    found = cause_of_failure(LAB04, test, got)
    assert says in found and bool(found) is bool(says)


# A lab's own file -------------------------------------------------------------------------------------------------


def test_causes_of_every_lab_can_be_read() -> None:
    for lab in manifest.load_all():
        of_lab(lab)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[raised]\n", "causes.toml: "),
        ('[[raised]]\npattern = "x"\n', "missing required field `says`"),
        ('[[raised]]\npattern = "x"\nsays = 3\n', "Expected `str`"),
        ('[[risen]]\npattern = "x"\nsays = "y"\n', "unknown field `risen`"),
        ('[[raised]]\npattern = "("\nsays = "y"\n', "'(' is no regular expression"),
    ],
)
def test_file_that_is_wrong_is_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    lab = elsewhere(tmp_path)
    folder = lab.paths.kit
    folder.mkdir(parents=True)
    (folder / "causes.toml").write_text(text)
    with pytest.raises(LabError) as caught:
        of_lab(lab)
    said = str(caught.value)
    assert str(folder / "causes.toml") in said and complaint in said and "\n" not in said


def test_lab_without_the_file_has_the_general_causes(tmp_path: Path) -> None:
    assert "misspelt" in cause(Raised("NameError", "name 'scalar' is not defined", LINE), elsewhere(tmp_path))
