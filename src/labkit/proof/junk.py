"""Feeds junk to the judge: replies that no answer would give. No test may accept one, and none may break on it.

Junk is the whole reply of every `observe`, or it takes the place of one leaf of what the solution replied.
"""

import copy
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from labkit.course.files import write_json
from labkit.course.manifest import Lab
from labkit.observe import values
from labkit.observe.values import Json, NotAValue, Raised
from labkit.proof.bank import Answer
from labkit.proof.grading import Graded, Job, grade

JUDGED = ("failed", "malformed")  # the verdicts that junk may get
LEAVES = 6  # of one test's replies that are replaced, one at a time

WHOLE: dict[str, object] = {
    "None": None,
    "True": True,
    "-1": -1,
    "2^63": 2**63,
    "nan": math.nan,
    "inf": math.inf,
    "-inf": -math.inf,
    "an empty string": "",
    "a long string": "junk " * 20_000,
    "an empty list": [],
    "an empty dict": {},
    "nested lists": [[[[]]], [[None]], []],
    "a dict with other keys": {"junk": 1.0},
    "an exception": Raised("RuntimeError", "junk"),
    "a dtype": torch.float32,
    "a list of 1000 zeros": [0.0] * 1000,
    "an empty tensor": torch.empty(0),
    "an empty tensor of many dimensions": torch.empty(3, 0, 2),
    "a tensor of one number": torch.tensor(1.0),
    "a tensor of odd shape": torch.ones(1, 2, 3, 1, 2),
    "a tensor of nan": torch.full((4, 3), math.nan),
    "a tensor of inf": torch.full((8,), math.inf),
    "an int64 tensor": torch.arange(6),
    "a bool tensor": torch.ones(5, dtype=torch.bool),
    "a float64 tensor": torch.ones(4, 5, dtype=torch.float64),
    "a complex tensor": torch.ones(4, dtype=torch.complex64),
    "a float8 tensor": torch.ones(4).to(torch.float8_e4m3fn),
    "a uint64 tensor": torch.ones(4).to(torch.uint64),
}
IN_A_LEAF = ("None", "nan", "inf", "-inf", "an empty string", "an empty list", "an empty dict", "an exception",
             "an empty tensor", "a tensor of odd shape", "a complex tensor", "a float8 tensor")  # fmt: skip


def feed(lab: Lab, recording: Path, tests: tuple[str, ...], seed: int, progress: Callable[[Graded], None]) -> list[str]:
    """What is wrong with how the tests take junk, a line each; `recording`: what the solution replied under `seed`."""
    replies = json.loads(recording.read_text(encoding="utf-8"))
    leaves = {test: _spread(list(_leaves(replies.get(test, [])))) for test in tests}
    jobs: list[Job] = []
    for name, value in encoded(WHOLE).items():
        whole = {test: [_of_every_rank(lab, test, reply, value) for reply in replies.get(test, [])] for test in tests}
        jobs.append(_job(name, whole, recording.with_name(f"junk-{len(jobs)}"), tests, seed))
    jobs_of_leaves: list[tuple[Job, dict[str, tuple]]] = []
    for name, value in encoded({name: WHOLE[name] for name in IN_A_LEAF}).items():
        for number in range(LEAVES):
            some = {test: found[number] for test, found in leaves.items() if number < len(found)}
            if not some:
                break
            some = {test: path for test, path in some.items() if not _same(_at(replies[test], path), value)}
            if not some:
                continue
            changed = {test: _replaced(replies[test], path, value) for test, path in some.items()}
            path = recording.with_name(f"leaf-{len(jobs_of_leaves)}")
            jobs_of_leaves.append((_job(name, changed, path, tuple(some), seed), some))
    results = grade(lab, [*jobs, *(job for job, _ in jobs_of_leaves)], progress)
    found = [line for graded in results for line in _broken(graded)]
    for graded in results[: len(jobs)]:
        found += [f"{test} accepts junk: {graded.answer.name}" for test in graded.passed]
    return found + _accepted_leaves(list(zip(results[len(jobs) :], [some for _, some in jobs_of_leaves], strict=True)))


def encoded(junk: dict[str, object]) -> dict[str, Json]:
    """The junk as it crosses to the judge; what may not cross at all is left out."""
    found = {}
    for name, value in junk.items():
        try:
            found[name] = values.encode(value)
        except NotAValue:
            continue
    return found


def _job(name: str, replies: Mapping[str, Json], path: Path, tests: tuple[str, ...], seed: int) -> Job:
    write_json(path, replies)
    return Job(Answer(name, "junk", replay=path), seed, tests)


def _of_every_rank(lab: Lab, test: str, reply: object, junk: object) -> object:
    """Junk in place of a reply; one that came from several ranks stays a list with the reply of each."""
    ranks = next(lab.ranks_for(behaviour) for behaviour in lab.behaviours if behaviour.id == test)
    return [junk] * ranks if ranks > 1 and isinstance(reply, list) and len(reply) == ranks else junk


def _broken(graded: Graded) -> list[str]:
    """The tests that gave no verdict on junk, or one that says more than that it is wrong."""
    if graded.error:
        return [f"junk ({graded.answer.name}) breaks the suite: {graded.error}"]
    return [
        f"{record.id} breaks on junk: {graded.answer.name}: {record.state}: {record.got}"
        for record in graded.records
        if record.state not in ("passed", *JUDGED)
    ]


def _accepted_leaves(results: list[tuple[Graded, dict[str, tuple]]]) -> list[str]:
    """The junk that tests accept in leaves that they judge: in which they refuse some other junk."""
    judged = {(test, some[test]) for graded, some in results for test in graded.lost}
    return [
        f"{test} accepts junk in {_shown(some[test])}: {graded.answer.name}"
        for graded, some in results
        for test in graded.passed
        if (test, some[test]) in judged
    ]


def _leaves(data: Json, path: tuple = ()) -> Iterator[tuple]:
    """The paths of everything in encoded data that holds nothing else."""
    inner: Iterable[tuple[Any, Json]]
    if isinstance(data, list):
        inner = enumerate(data)
    elif isinstance(data, dict) and data.get("$") == "dict":
        inner = (((key, "items"), value) for key, value in data["items"].items())
    else:
        yield path
        return
    for key, value in inner:
        yield from _leaves(value, (*path, key))


def _replaced(data: Json, path: tuple, value: Json) -> Json:
    """A copy of encoded `data` with `value` at `path`."""
    whole = copy.deepcopy(data)
    *above, last = path
    changed = _at(whole, above)
    if isinstance(last, tuple):
        changed["items"][last[0]] = value
    else:
        changed[last] = value
    return whole


def _at(data: Json, path: Iterable) -> Json:
    for key in path:
        data = data["items"][key[0]] if isinstance(key, tuple) else data[key]
    return data


def _same(one: Json, other: Json) -> bool:
    """Of two exceptions the types count: what a message says is open."""
    if isinstance(one, dict) and isinstance(other, dict) and one.get("$") == other.get("$") == "raised":
        return one["type"] == other["type"]
    return json.dumps(one) == json.dumps(other)  # nan too


def _spread(paths: list[tuple]) -> list[tuple]:
    """At most LEAVES of them, the first and the last included."""
    if len(paths) <= LEAVES:
        return paths
    return [paths[round(index * (len(paths) - 1) / (LEAVES - 1))] for index in range(LEAVES)]


def _shown(path: tuple) -> str:
    call, *rest = path
    return f"reply {call + 1}" + "".join(f"[{key[0] if isinstance(key, tuple) else key!r}]" for key in rest)
