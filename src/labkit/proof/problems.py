"""What a proof shows to be wrong with the suite, or with the bank: a line each."""

from collections.abc import Iterable

from labkit.course.manifest import Lab
from labkit.judge.diagnosis import Misconception
from labkit.proof.grading import Graded
from labkit.proof.prove import Proof

SYMPTOMS_ALIKE = 0.95  # the share that has to be as it was written: machines differ


def problems(lab: Lab, proof: Proof) -> list[str]:
    """Everything that is wrong, answer by answer, and the tests that no mistake fails."""
    found = [line for graded in proof.results for line in _of(graded, lab)]
    proved = {test for one in proof.misconceptions for test in one.fails}
    for behaviour in lab.behaviours:
        if behaviour.id not in proved and behaviour.id not in proof.skipped:
            found.append(f"{behaviour.id} is proved by no mistake: none fails it")
    return found + proof.accepted_junk


def needless(lab: Lab, misconceptions: Iterable[Misconception]) -> list[str]:
    """The tests that could be deleted, each alone, with every mistake still caught."""
    needed = {test for one in misconceptions if len(one.fails) == 1 for test in one.fails}
    return [behaviour.id for behaviour in lab.behaviours if behaviour.id not in needed]


def out_of_date(proof: Proof) -> list[str]:
    """What a quick check shows to differ from what the last proof wrote; a line each."""
    written = {one.name: one for one in proof.misconceptions}
    mistakes = [graded for graded in proof.first_seed if graded.answer.kind == "mistake"]
    names = {graded.answer.name for graded in mistakes} | proof.left_out
    found = [f"{name} is new" for name in sorted(names - written.keys())]
    found += [f"{name} is gone" for name in sorted(written.keys() - names)]
    alike = []
    for graded in mistakes:
        if (known := written.get(graded.answer.name)) is None:
            continue
        if (known.says, known.steps) != (graded.answer.says, (graded.answer.step,)):
            found.append(f"{graded.answer.name} has another sentence or step")
        alike += [known.fails.get(test) == how for test, how in graded.symptoms.items()]
    if sum(alike) < SYMPTOMS_ALIKE * len(alike):
        found.append(f"{len(alike) - sum(alike)} of {len(alike)} mistakes fail in another way")
    return found


def _of(graded: Graded, lab: Lab) -> list[str]:
    answer, where = graded.answer, f"under seed {graded.job.seed}"
    step_of = {behaviour.id: behaviour.step for behaviour in lab.behaviours}
    if graded.error:
        return [f"{answer.name} gave no verdicts {where}: {graded.error}"]
    missing = set(graded.job.tests) - graded.states.keys()
    found = []
    if missing:
        found.append(f"{answer.name}: {', '.join(sorted(missing))} did not run {where}")
    if answer.kind in ("solution", "alternative"):
        wrong = [f"{test} ({state})" for test, state in graded.states.items() if state not in ("passed", "skipped")]
        if wrong:
            found.append(f"{answer.name} is right, but fails {', '.join(wrong)} {where}")
    elif answer.kind == "mistake":
        if not any(step_of[test] == answer.step for test in graded.lost):
            tests = f"; it passes {graded.job.tests[0]}" if len(graded.job.tests) == 1 else ""
            found.append(f"{answer.name} is wrong, but no test of its step fails {where}{tests}")
    elif graded.passed:
        found.append(f"the {answer.name} passes {', '.join(graded.passed)} {where}")
    return found
