"""Proves a graded suite: wrong answers lose points in their own step, right ones keep all, replay and junk get none."""

import itertools
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from labkit.course.errors import LabError
from labkit.course.manifest import Lab
from labkit.judge.diagnosis import Misconception
from labkit.judge.diagnosis import misconceptions as written_misconceptions
from labkit.proof import junk
from labkit.proof.bank import Answer, read_bank
from labkit.proof.grading import Graded, Job, grade

OTHER_SEED = 1000  # the replay of the last seed answers with values recorded under this one

Progress = Callable[[Graded], None]


@dataclass(frozen=True)
class Proof:
    """What was graded, and the misconceptions: found now, or, of a quick check, those written before."""

    results: list[Graded]
    misconceptions: list[Misconception]
    skipped: tuple[str, ...]  # tests that this machine cannot run
    accepted_junk: list[str] = field(default_factory=list)  # or junk that breaks a test; a line each
    left_out: frozenset[str] = frozenset()  # mistakes of the bank that a sample does not have

    @property
    def first_seed(self) -> list[Graded]:
        seed = min(graded.job.seed for graded in self.results)
        return [graded for graded in self.results if graded.job.seed == seed]


def prove(lab: Lab, seeds: list[int], check: bool, progress: Progress = lambda graded: None, one_in: int = 1) -> Proof:
    """Grades the solution, the stub, a replay, junk and the bank, in parallel on all cores.

    Under the first seed a mistake meets the tests of its step, an alternative those of its step and of later ones,
    whose functions may call it. Under later seeds a mistake meets the cheapest test that is known to catch it, and an
    alternative the tests of its own step. So they do in a quick `check`, which feeds no junk and replays nothing. Of
    the bank it grades one in `one_in`, and every mistake that is new.
    """
    whole, written, first = read_bank(lab), _written(lab, check), seeds[0]
    known = {one.name for one in written}
    bank = [one for index, one in enumerate(whole)
            if index % one_in == 0 or (one.kind == "mistake" and one.name not in known)]  # fmt: skip
    every = tuple(behaviour.id for behaviour in lab.behaviours)
    with TemporaryDirectory(prefix="labkit-proof-") as folder:
        scratch = Path(folder)
        recorded = seeds if check else [*seeds, OTHER_SEED]
        values = {seed: scratch / f"{seed}.values" for seed in recorded}  # the solution's replies
        jobs = [Job(Answer("solution", "solution", record=values[seed]), seed, every) for seed in values]
        results = grade(lab, jobs, progress)
        skipped = tuple(test for test, state in results[0].states.items() if state == "skipped")
        choice = Choice(lab, results[0], skipped, written)
        stub = Answer("stub", "stub", impl=str(_stub(lab, scratch)))
        jobs = [Job(stub, seed, choice.every) for seed in seeds]
        if not check:  # a replay answers with the values of the seed after its own
            pairs = itertools.pairwise(recorded)
            jobs += [Job(Answer("replay", "replay", replay=values[other]), seed, choice.every) for seed, other in pairs]
        for seed in seeds:
            chosen = choice.whole if seed == first and not check else choice.cheapest
            jobs += [chosen(one, seed) for one in bank]
        results += _with_second_look(lab, choice, grade(lab, jobs, progress), progress)
        if check:
            left_out = {one.name for one in whole if one.kind == "mistake"} - {one.name for one in bank}
            return Proof(results, written, skipped, left_out=frozenset(left_out))
        fed = junk.feed(lab, values[first], choice.every, first, progress)
    return Proof(results, found_misconceptions(lab, results, first), skipped, fed)


def _with_second_look(lab: Lab, choice: "Choice", results: list[Graded], progress: Progress) -> list[Graded]:
    """Mistakes that got past their chosen tests meet all of their step, in the suite's order.

    Some leave something behind that only a later test shows.
    """
    missed = [one for one in results if one.answer.kind == "mistake" and not one.lost]
    again = grade(lab, [choice.whole(one.answer, one.job.seed) for one in missed], progress)
    second = {(one.answer, one.job.seed): one for one in again}
    return [second.get((one.answer, one.job.seed), one) for one in results]


def found_misconceptions(lab: Lab, results: list[Graded], seed: int) -> list[Misconception]:
    """Each mistake's sentence, its step and, of this, the tests that it loses under the seed and how."""
    step_of = {behaviour.id: behaviour.step for behaviour in lab.behaviours}
    return [
        Misconception(
            graded.answer.name,
            graded.answer.says,
            (graded.answer.step,),
            {test: how for test, how in graded.symptoms.items() if step_of[test] == graded.answer.step},
        )
        for graded in results
        if graded.answer.kind == "mistake" and graded.answer.step is not None and graded.job.seed == seed
    ]


class Choice:
    """Chooses the tests that are put to an answer, from what they cost the solution, and from what is known of it."""

    def __init__(
        self, lab: Lab, solution: Graded, skipped: tuple[str, ...] = (), written: Iterable[Misconception] = ()
    ) -> None:
        self.step_of = {one.id: one.step for one in lab.behaviours if one.id not in skipped}
        self.seconds = {record.id: record.seconds for record in solution.records}
        self.fails = {one.name: one.fails for one in written}

    @property
    def every(self) -> tuple[str, ...]:
        return tuple(self.step_of)

    def by_cost(self, first_step: int | None = None) -> tuple[str, ...]:
        """Every test, those of `first_step` before all others, the cheap ones before the dear."""
        return tuple(sorted(self.step_of, key=lambda test: (self.step_of[test] != first_step, self.seconds[test])))

    def own(self, answer: Answer) -> tuple[str, ...]:
        return tuple(test for test, step in self.step_of.items() if step == answer.step)

    def whole(self, answer: Answer, seed: int) -> Job:
        """All that it has to answer for: a right answer those of later steps too."""
        right = answer.kind == "alternative"
        later = tuple(test for test, step in self.step_of.items() if step >= (answer.step or 0))
        return Job(answer, seed, later if right else self.own(answer))

    def cheapest(self, answer: Answer, seed: int) -> Job:
        """The cheapest test that a mistake is known to lose, one in which it waits for its limit only if there is no
        other; for an alternative or a new mistake, its step's tests.
        """
        own, fails = self.own(answer), self.fails.get(answer.name, {})
        known = [test for test in own if test in fails]
        cheapest = sorted(known, key=lambda test: ("no answer" in fails[test], self.seconds[test]))[:1]
        return Job(answer, seed, tuple(cheapest) or own)


def _written(lab: Lab, check: bool) -> list[Misconception]:
    """The misconceptions as the last proof wrote them; a damaged file is written again, but not by a check."""
    try:
        return written_misconceptions(lab)
    except LabError:
        if check:
            raise
        return []


def _stub(lab: Lab, scratch: Path) -> Path:
    """A folder with the lab's skeleton as its file."""
    folder = scratch / "stub"
    folder.mkdir()
    shutil.copy(lab.paths.skeleton, folder / f"{lab.stem}.py")
    return folder
