"""What one session of graded tests shares: the code under test, lab by lab, and the records."""

import argparse
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from labkit.course.loading import LOADING, implementation_path, load_implementation
from labkit.course.manifest import ROOT, Behaviour, Lab
from labkit.course.records import Record, State, worst
from labkit.judge import causes, progress
from labkit.judge.boxed import Boxes
from labkit.observe.answer import Answer
from labkit.observe.deadline import limited
from labkit.observe.isolation import Level
from labkit.observe.local import Observer, Observes, RankWork, Recorder, Replay
from labkit.observe.rank_group import START, Shape, device_of_ranks
from labkit.observe.ranks import SPAWN, RankServer
from labkit.observe.sandbox import Sandbox

STARTING = SPAWN + START + LOADING  # seconds for what may come before a test in a sandbox

LAB = pytest.StashKey[Lab]()
BEHAVIOUR = pytest.StashKey[Behaviour]()
ANSWERS = pytest.StashKey[list[Answer]]()


def limit(item: pytest.Item) -> float:
    """Seconds for a graded test as a whole."""
    return item.stash[LAB].limit_of(item.stash[BEHAVIOUR])


class GradedSuite:
    """The labs of a session, their code under test, and the verdicts on it."""

    def __init__(self, option: argparse.Namespace) -> None:
        self.option = option
        self.labs: dict[str, Lab] = {}
        self.paths: dict[str, Path] = {}
        self.ranks: dict[str, Shape] = {}  # of labs that need some: those that are needed first
        self.fingerprints: dict[str, progress.Fingerprint] = {}  # of labs whose student's file is tested
        self.observers: dict[str, Observer] = {}
        self.servers: dict[str, RankServer] = {}
        self.boxes: Boxes | None = None  # where nobody trusts the code under test
        self.cases: Counter[str] = Counter()  # behaviour -> its tests that have been chosen
        self.asked: dict[str, list[str]] = {}  # by stem, the behaviours that are left after --step and -k
        self.seen: dict[str, list[Record]] = {}
        self.records: list[Record] = []
        self.returned: dict[str, list[object]] = {}
        self.replayed = json.loads(Path(option.replay).read_text()) if option.replay else None
        self.overlay = Path(option.overlay).resolve() if option.overlay else None
        # What a supervising process is told: whose file is imported, that a test now runs, that someone debugs it.
        self.in_import: Callable[[str], None] = lambda stem: None
        self.in_call: Callable[[pytest.Item], None] = lambda item: None
        self.in_debugger: Callable[[], None] = lambda: None

    def add_lab(self, lab: Lab, chosen: list[pytest.Item]) -> None:
        """Takes the lab up, whose tests are `chosen`; its file is not read yet. Raises LabError if there is none."""
        causes.of_lab(lab)  # a file of causes that is wrong is said before anything runs
        path = implementation_path(self.option.impl, lab.stem, ROOT)
        if path == lab.paths.student.resolve():
            self.fingerprints[lab.stem] = progress.fingerprint(lab)
        self.labs[lab.stem], self.paths[lab.stem] = lab, path
        self.cases.update(item.stash[BEHAVIOUR].id for item in chosen)
        steps = [lab.step(number) for number in sorted({item.stash[BEHAVIOUR].step for item in chosen})]
        first = next((step for step in steps if step.ranks > 1 and not lab.missing(step.number)), None)
        if first is not None:
            self.ranks[lab.stem] = Shape(first.ranks, first.group)

    def load(self, stems: list[str], clean: bool) -> None:
        """Loads the code under test; before that, while this process is still `clean`, starts the servers of ranks.

        Raises:
            LabError: a file cannot be imported, or not in `LOADING` seconds; names the line.
        """
        torch.set_num_threads(1)  # tiny tensors: threads cost more than they give, and the clock of a grader less
        device = self.option.device
        if self.boxes is not None:
            labs = [self.labs[stem] for stem in stems]
            own = sum(lab.own_seconds(behaviour) or 0.0 for lab in labs for behaviour in lab.behaviours)
            level, template = self.boxes.level, getattr(self.option, "template", None)  # of a judge of many
            self.boxes.load(
                (Sandbox(lab, self.paths[lab.stem], level, self.overlay, device, LOADING, template) for lab in labs),
                own,
            )
            return
        rank_device = device_of_ranks(device)
        may_fork = clean and device == "cpu"  # a fork of what has asked for a GPU cannot even ask whether there is one
        for stem in (stem for stem in stems if stem in self.ranks):
            path = self.paths[stem]
            work = RankWork(path, self.overlay, rank_device, self.labs[stem].builds_on)
            others = tuple(server.channel.fileno() for server in self.servers.values())
            self.servers[stem] = RankServer(work, rank_device, may_fork, path, self.ranks[stem], others)
        for stem in stems:
            self.in_import(stem)
            with limited(LOADING):
                module = load_implementation(self.paths[stem], self.overlay, self.labs[stem].builds_on)
            right = getattr(self.option, "right", False)  # of a judge of many
            self.observers[stem] = Observer(module, device, self.servers.get(stem), right=right)

    def observer_for(self, item: pytest.Item) -> Observes:
        """What runs the scenarios of this test."""
        lab, behaviour = item.stash[LAB], item.stash[BEHAVIOUR]
        if self.replayed is not None:
            return Replay(self.replayed.get(item.name, []))
        if self.boxes is not None:
            return self._recorded(self.boxes.observer_for(lab, behaviour, item.name), item)
        step = lab.step(behaviour.step)
        observer = replace(
            self.observers[lab.stem],
            group=step.group,
            most_ranks=lab.ranks_for(behaviour),
            seconds=lab.seconds_for(behaviour),
        )
        if step.ranks > 1 and observer.server is not None:  # outside the test's own limit; a failure is told later
            observer.server.run(None, Shape(observer.most_ranks, observer.group))
        return self._recorded(observer, item)

    def _recorded(self, observer: Observes, item: pytest.Item) -> Observes:
        return Recorder(observer, self.returned.setdefault(item.name, [])) if self.option.record else observer

    def limit(self, item: pytest.Item) -> float:
        """Seconds for a test in this process. In a sandbox, scenarios have limits of their own."""
        return limit(item) + (STARTING if self.boxes is not None else 0.0)

    def take(self, record: Record) -> None:
        """Takes a verdict; one of several cases waits for the others."""
        if self.boxes is not None:
            self.boxes.take(record)
        cases = self.seen.setdefault(record.id, [])
        cases.append(record)
        if len(cases) >= self.cases[record.id]:
            self.records.append(worst(self.seen.pop(record.id)))

    def finish(self) -> None:
        """No more verdicts come: of cases the run has not come to, nothing is known."""
        self.records += [worst(cases) for cases in self.seen.values()]
        self.seen.clear()
        self._remember()

    def close(self) -> None:
        for server in self.servers.values():
            server.close()
        self.servers.clear()
        if self.boxes is not None:
            self.boxes.close()

    def report(self) -> dict[str, object]:
        """What `--json` writes."""
        return {
            "impl": self.option.impl,
            "seed": self.option.seed,
            "device": self.option.device,
            "isolation": Level.NONE if self.boxes is None else self.boxes.level,
            "torch": torch.__version__,
            "records": [asdict(record) for record in self.records],
        }

    def _remember(self) -> None:
        """Keeps the verdicts on a student's own file for `make status`; those of other inputs are nobody's progress,
        and a failure of the machinery is no verdict.
        """
        option = self.option
        if option.seed != "0" or option.device != "cpu" or option.overlay or self.replayed is not None:
            return
        for lab in self.labs.values():
            if lab.stem in self.fingerprints:
                own = [record for record in self.records if record.lab == lab.name]
                verdicts = [record for record in own if record.state != State.GRADER_ERROR]
                progress.remember(lab, self.fingerprints[lab.stem], verdicts)


def labs_that_run(items: list[pytest.Item]) -> list[str]:
    """The stems of the labs of which a test runs: those that lack no package."""
    runs = [item for item in items if not item.stash[LAB].missing(item.stash[BEHAVIOUR].step)]
    return list(dict.fromkeys(item.stash[LAB].stem for item in runs))
