"""The likely cause of a failure, where what came back shows it: said instead of what the test is about.

What holds for any Python code is in this file. What holds for one lab is in the file `causes.toml` of its own code:

    [[raised]]      # an exception inside the student's code; `pattern` is searched in "Type: message"
    [[afterwards]]  # the same, for one that arose when a scenario went on with what the code gave
    [[failed]]      # a value that was not as expected; `test` and `got` are searched in the test's name and its "got"

each with `says`, one sentence. The first that fits is said, so it has to be true wherever it fits; where two causes
could be, the sentence gives both as a question.
"""

import functools
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct, ValidationError, convert

from labkit.course.errors import LabError
from labkit.course.manifest import Lab
from labkit.observe.values import Raised

SIGNATURE = (
    r"positional argument|unexpected keyword argument|required (positional|keyword-only)|multiple values for argument"
)
DEBUGGER = (
    r"^BdbQuit|reading from stdin while output is captured",
    "pdb got no input (watch has no keyboard for pdb): run that test alone with pytest -k",
)
# A pattern of "Type: message", and what is behind it; the first that is found counts.
CAUSES = (
    DEBUGGER,
    (r"does not require grad",
     "the loss has lost its graph: no .item(), Python's float(x), detach or no_grad on the way to backward()"),
    (r"Expected more than 1 value per channel when training",
     "a batch norm in train mode has been given a batch of one sample: where the model is evaluated, set eval mode"),
    (r"backward through the graph a second time", "backward() runs once for each loss"),
    (SIGNATURE, "this call and the signature of what it calls differ; the lab's own functions keep the skeleton's"),
    (r"NameError|UnboundLocalError", "that name is not set there: misspelt, not imported, or set on one path only"),
    (r"NoneType", "something is None there: an argument left out, a function without return, or a missing gradient"),
    (r"has no attribute '\w+'; it has '", "that name is not there, but one like it is: misspelt?"),
    (r"'\w*Trainer' object has no attribute", "it has no such attribute: is it set in __init__, on self?"),
    (r"'dict' object has no attribute", "this is a dict: a key not in brackets, or load_state_dict left out?"),
    (r"cannot unpack", "this is no tuple: a method without self, arguments in another order, or a single value?"),
    (r"AttributeError", "that object is not what the line takes it for; print(type(...)) says what it is"),
    (r"KeyError", "the dictionary lacks that key: was it put in?"),
)  # fmt: skip
# The same for an exception that arose after the code under test had returned, where a test goes on with what it gave.
CAUSES_AFTERWARDS = (
    DEBUGGER,
    (r"NoneType", "None came back where a value is asked for: a path without return, or an attribute that is None?"),
    (SIGNATURE, "the tests call your functions with the skeleton's arguments: keep its signature"),
    (r"UnpicklingError", "a checkpoint holds states, not objects: the state_dict() of each, not the object"),
    (r"'(Tensor|Parameter|tuple|list|dict|str|bool|int|float)' object",
     "what came back is of another type than the skeleton's: compare with its -> and its docstring"),
    (r"object has no attribute", "the tests ask for that name: misspelt, or not set in __init__?"),
    (r"died without an answer", "your code ended Python itself there"),
    (r"does not require grad",
     "what came back has lost its graph: no detach, .data, .item(), Python's float(x) or no_grad on the way"),
    (r"unpack", "another number of values came back than the skeleton's return has"),
)  # fmt: skip
ELSE, ELSE_SILENT = "your code stopped at that line: see what the message says", "your code stopped at that line"
ELSE_AFTERWARDS = "what your code gave back, or left behind, is not what the test goes on with"
# Exceptions that no lab is about: where a scenario caught one, it is shown instead of what followed from it.
SLIPS = {"AttributeError", "BdbQuit", "IndexError", "KeyError", "NameError", "TypeError", "UnboundLocalError"}


class Pattern(Struct, frozen=True, forbid_unknown_fields=True):
    """An exception, "Type: message", and what is behind it."""

    pattern: str
    says: str


class Failure(Struct, frozen=True, forbid_unknown_fields=True):
    """A value that was not as expected, by the test's name and by what it got, and what is behind it."""

    test: str
    got: str
    says: str


class LabCauses(Struct, frozen=True, forbid_unknown_fields=True):
    """What a lab's `causes.toml` holds."""

    raised: tuple[Pattern, ...] = ()
    afterwards: tuple[Pattern, ...] = ()
    failed: tuple[Failure, ...] = ()


def cause(raised: Raised, lab: Lab | None = None) -> str:
    """Of an exception, in one sentence; what only the lab knows comes first."""
    own = of_lab(lab) if lab else LabCauses()
    if raised.where:
        causes = *((one.pattern, one.says) for one in own.raised), *CAUSES
        otherwise = ELSE if raised.message else ELSE_SILENT
    else:
        causes = *((one.pattern, one.says) for one in own.afterwards), *CAUSES_AFTERWARDS
        otherwise = ELSE_AFTERWARDS
    return _first(causes, f"{raised.type}: {raised.message}") or otherwise


def cause_of_failure(lab: Lab, test: str, got: str) -> str:
    """Of a value that was not as expected; "" where the lab knows none, and the test's own sentence is said."""
    return _first(((one.got, one.says) for one in of_lab(lab).failed if re.search(one.test, test)), got)


def of_lab(lab: Lab) -> LabCauses:
    """The lab's own causes; none where it has no such file.

    Raises:
        LabError: the file is wrong; one line with the key and what to do about it.
    """
    return _read(lab.paths.kit / "causes.toml")


@functools.cache
def _read(path: Path) -> LabCauses:
    if not path.is_file():
        return LabCauses()
    try:
        found = convert(tomllib.loads(path.read_text(encoding="utf-8")), LabCauses)
    except (OSError, ValueError, ValidationError) as error:
        raise LabError(f"{path}: {error}; judge/causes.py says what it holds") from None
    for pattern in (*(one.pattern for one in (*found.raised, *found.afterwards)),
                    *(text for one in found.failed for text in (one.test, one.got))):  # fmt: skip
        try:
            re.compile(pattern)
        except re.error as error:
            raise LabError(f"{path}: {pattern!r} is no regular expression: {error}") from None
    return found


def _first(causes: Iterable[tuple[str, str]], text: str) -> str:
    return next((says for pattern, says in causes if re.search(pattern, text)), "")


def raised_in(values: object) -> Iterator[Raised]:
    """The exceptions of the code under test anywhere in observed values, those whose line in its file is known."""
    if isinstance(values, Raised) and values.where:
        yield values
    elif isinstance(values, list):
        for value in values:
            yield from raised_in(value)
    elif isinstance(values, dict):
        yield from raised_in(list(values.values()))
