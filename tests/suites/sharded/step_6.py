"""Step 6, puzzles: one behaviour a test, judged by the values that a scenario brought back."""

import math

import torch

from labkit.judge.expect import expect
from labkit.observe.values import Raised
from references.sharded.common import drawn_sizes, drawn_state, drawn_steps
from references.sharded.step_6 import (
    FAULTS,
    FUNCTIONS,
    RANKS,
    drawn_calls,
    drawn_entries,
    drawn_stack,
    faulty_logs,
    first_difference,
    odd,
    outputs_of,
    smallest_change,
)
from scenarios.sharded import hanging
from scenarios.sharded import step_6 as scenarios
from suites.sharded.common import FLOAT32

FREED = {(False, False): None, (True, False): "after forward", (False, True): "after backward", (True, True): "never"}


def grouped(places: list) -> dict:
    """The ranks by their place."""
    return {place: [rank for rank, other in enumerate(places) if other == place] for place in dict.fromkeys(places)}


def test_stacks_are_grouped_by_line(observe, draw):
    """Drawn stacks: a rank waits at the first frame of the file, whichever thread has it and whatever is around it."""
    cases, expected = [], []
    folders = draw.shuffled(("/home/me/", "/home/me/re/", "/home/me/run (2)/", "./", ""))  # of a relative path
    for count, folder in zip((1, 2, 2, 3, 4), folders, strict=True):
        file = draw.choice(("train.py", "main.py", "run.v2.py"))
        places = [(draw.integer(1, 300), function) for function in draw.shuffled(FUNCTIONS)[:count]]
        odd_name = draw.choice(("<module>", "<lambda>", "<listcomp>"))
        places = [place for place in places if place[1] != odd_name]
        places.insert(0, (draw.integer(1, 300), odd_name))
        special = draw.shuffled([None, (draw.integer(301, 400), places[0][1])])  # elsewhere; a function's other line
        places[1:3] = special[: count - 1]
        waits = draw.shuffled([*places, *(draw.choice(places) for _ in range(draw.integer(1, 4)))])
        cases.append({"file": file, "stacks": [drawn_stack(draw, folder, file, place) for place in waits]})
        expected.append(grouped([f"line {place[0]} in {place[1]}" if place else "elsewhere" for place in waits]))
    seen = observe(scenarios.waiting, cases=cases)
    why = "a rank waits at the first frame of the file in its stack; ranks at one line belong together"
    expect(len(seen), "cases").equals(len(cases), why)
    for number, (case, found, wanted) in enumerate(zip(cases, seen, expected, strict=True)):
        expect(found, f"ranks by their line in {case['file']}, case {number}").equals(wanted, why)


def test_a_deadlock_of_real_ranks_is_found(observe, draw):
    """A rank leaves a call out of a real run and waits in the next one: the stacks show two lines, and who is where."""
    for _ in range(3):
        steps, rank = draw.integer(2, 3), draw.integer(0, RANKS - 1)
        left_out = [draw.integer(0, steps - 2), draw.integer(0, len(hanging.CALLS) - 1)]
        seen = observe(scenarios.deadlock, ranks=RANKS, steps=steps, rank=rank, left_out=left_out)
        waits, ahead = (hanging.CALLS[(left_out[1] + more) % len(hanging.CALLS)] for more in (0, 1))
        places = [place_of(ahead if one == rank else waits) for one in range(RANKS)]
        for one, found in enumerate(seen):
            expect(found, f"ranks by their line in hanging.py, on rank {one}").equals(
                grouped(places), "the innermost line of the training file: that of the call which a rank waits in"
            )


def place_of(function) -> str:
    """The last line of a function, as a stack gives it."""
    return f"line {max(line for *_, line in function.__code__.co_lines() if line)} in {function.__name__}"


def test_the_first_differing_call_is_found(observe, draw):
    """Drawn logs: index, cause and odd ranks of the first difference, whatever differs later; None where none does."""
    cases = [[drawn_calls(draw, draw.integer(4, 7))] * ranks for ranks in (1, RANKS)] + [[[]] * RANKS]
    for fault in FAULTS:
        for count in draw.shuffled([1, 2]):
            cases.append(faulty_logs(draw, fault, draw.shuffled(range(RANKS))[:count]))
        cases.append(faulty_logs(draw, fault, draw.shuffled(range(4))[:2], count=4))  # as many as the others
    calls = drawn_calls(draw, 5)
    cases.append([FAULTS[fault](draw, calls, 2) for fault in draw.shuffled(list(FAULTS))[:RANKS]])
    cases = draw.shuffled(cases)
    expect_differences(observe(scenarios.differences, cases=cases), cases, "")


def test_logs_of_real_ranks_are_compared(observe, draw):
    """The logs of ranks that make their calls until they part: left out, made twice, or of another kind on a rank."""
    cases = [[drawn_calls(draw, draw.integer(4, 7))] * RANKS]
    cases += [faulty_logs(draw, fault, [draw.integer(0, RANKS - 1)]) for fault in draw.shuffled(list(FAULTS))[:5]]
    cases = draw.shuffled(cases)
    for rank, seen in enumerate(observe(scenarios.differences_of_ranks, ranks=RANKS, cases=cases)):
        expect_differences(seen, cases, f", on rank {rank}")


def expect_differences(seen: list, cases: list, where: str) -> None:
    expect(len(seen), f"cases{where}").equals(len(cases), "one answer for all logs of a case")
    for number, (found, logs) in enumerate(zip(seen, cases, strict=True)):
        expect(found, f"index, cause and odd ranks of case {number}{where}").equals(
            first_difference(logs), "the first index at which not all calls are the same: how they differ, and on whom"
        )


def test_odd_shapes_and_dtypes_are_named(observe, draw):
    """Ranks whose tensor has another shape or dtype than most: rank 0 too, two of them, and all alike."""
    cases = []
    often = ["alike", "shape", "dtype", "both", "numel", "dimensions", "all"]
    for kind in draw.shuffled([*often, *often, "none or one of size 0", "one of size 0 more"]):
        shape = [] if kind == "none or one of size 0" else [draw.integer(2, 4), draw.integer(5, 7)]
        kinds = [[shape, torch.float32]] * RANKS
        others = {
            "shape": [[*shape[:-1], 8], torch.float32],
            "dtype": [shape, draw.choice((torch.float64, torch.bfloat16, torch.int32))],
            "both": [[*shape[:-1], 8], torch.bfloat16],
            "numel": [shape[::-1], torch.float32],
            "dimensions": [draw.choice(([math.prod(shape)], [1, *shape])), torch.float32],
            "none or one of size 0": [[0], torch.float32],
            "one of size 0 more": [[*shape, 0], torch.float32],
        }
        kinds[draw.integer(0, RANKS - 1)] = others.get(kind, kinds[0])
        if kind == "all":
            kinds = [[[*shape, *[1] * rank], torch.float32] for rank in range(RANKS)]
        cases.append({"shapes": [one for one, _ in kinds], "dtypes": [one for _, one in kinds]})
        cases[-1]["layouts"] = [len(one) > 1 and draw.integer(0, 1) == 1 for one, _ in kinds]
    seen = observe(scenarios.odd, ranks=RANKS, cases=cases)
    for rank, found in enumerate(seen):
        expect(len(found), f"answers on rank {rank}").equals(len(cases), "one for each tensor")
        for number, (one, case) in enumerate(zip(found, cases, strict=True)):
            kinds = list(zip(case["shapes"], case["dtypes"], strict=True))
            expect(one, f"odd ranks of tensor {number} {kinds}, on rank {rank}").equals(
                odd(kinds), "those whose shape and dtype most ranks do not have; all ranks find the same"
            )


def test_asking_for_odd_ranks_leaves_no_trace(observe, draw):
    """The tensor stays as it is, only a few bytes are sent, and the group's next call works; 0-d tensors too."""
    cases = []
    for numel in draw.shuffled([2000, 3000, 0]):
        tensors = [draw.normal(numel + draw.integer(0, 2)) if numel else draw.normal(1)[0] for _ in range(RANKS)]
        cases.append([tensor if draw.integer(0, 1) else tensor.double() for tensor in tensors])
    for rank, seen in enumerate(observe(scenarios.asked, ranks=RANKS, cases=cases)):
        for one, tensors in zip(seen, cases, strict=True):
            shapes = [tuple(tensor.shape) for tensor in tensors]
            what = f"for shapes {shapes}, on rank {rank}"
            kinds = [(shape, tensor.dtype) for shape, tensor in zip(shapes, tensors, strict=True)]
            expect(one["odd"], f"odd ranks {what}").equals(odd(kinds), "those whose shape and dtype most do not have")
            expect(one["tensor"], f"tensor {what}").equals(tensors[rank], "the probe only looks at it")
            expect(one["leaf"], f"tensor still requires a gradient, and has none, {what}").equals(True, "it only looks")
            expect(one["sum"], f"sum of 1, 2 and 3 in the next call {what}").equals(
                6.0, "all ranks make the same calls in the probe, so that the next one is matched"
            )
            expect(one["sent"], f"bytes sent {what}").less_than(
                4000.0, "shape and dtype are a few numbers: the tensor is not sent"
            )


def test_drifted_entries_are_named_with_their_ranks(observe, draw):
    """A training that drifts (an entry set on one rank, a step left out, gradients not averaged), and a healthy one."""
    for kind in draw.shuffled(["start", "skipped", "own gradient", "two", "none"]):
        sizes = drawn_sizes(draw, layers=2, ranks=RANKS)
        state, steps = drawn_state(draw, sizes), drawn_steps(draw, sizes, 2, RANKS)
        buffers = {"table": draw.normal(3), "count": torch.tensor(draw.integer(1, 99))}
        trained = ["0.weight", "1.weight", "1.bias"]
        values = {"0.bias": state[0][1], "1.weight": state[1][0]} | buffers
        faults, entries = [], draw.shuffled(list(values))
        for entry, rank in zip(entries, draw.shuffled(range(RANKS)), strict=False):
            value = (values[entry] + 1).to(values[entry].dtype)
            faults.append({"kind": "start", "step": draw.integer(0, 1), "rank": rank, "entry": entry, "value": value})
        faults = faults[: {"start": 1, "two": 2}.get(kind, 0)]
        rank, step, entry = draw.integer(0, RANKS - 1), draw.integer(1, 2), draw.choice(trained)
        if kind == "skipped":
            faults.append({"kind": kind, "step": step, "rank": rank})
        if kind == "own gradient":
            faults.append({"kind": kind, "step": step, "entry": entry})
        seen = observe(scenarios.drifting, ranks=RANKS, state=state, buffers=buffers, steps=steps, faults=faults)
        for number in range(len(steps) + 1):
            expected: dict[str, list[int]] = {}
            for fault in faults:
                if fault["step"] <= number:
                    names = trained if kind == "skipped" else [fault["entry"]]
                    ranks = list(range(1, RANKS)) if kind == "own gradient" else [fault["rank"]]
                    expected |= dict.fromkeys(names, ranks)
            for rank, one in enumerate(seen):
                what = f"on rank {rank} after {number} steps of a run with faults {[fault['kind'] for fault in faults]}"
                expect(len(one), f"answers {what}").equals(len(steps) + 1, "one before each step, and one at the end")
                expect(one[number]["found"], f"drifted entries {what}").equals(
                    expected, "those that differ between ranks, each with the ranks that have not what most have"
                )
                expect(one[number]["same"], f"model and gradients as before {what}").equals(
                    True, "the probe only looks: training goes on as if it had not been there"
                )


def test_drift_is_seen_in_every_bit(observe, draw):
    """The last bit of an entry of any dtype counts, and the sign of a zero; a nan that all ranks have does not."""
    cases, expected = [], []
    for always in draw.shuffled(["weight", "halves", "count", "seed", "special", "unknown", "scale", "phase"]):
        entries = drawn_entries(draw)
        ranks = [dict(entries) for _ in range(RANKS)]
        found = {}
        for name in dict.fromkeys([always, draw.choice(list(entries))]):
            if name != "mask":
                rank = draw.integer(0, RANKS - 1)
                ranks[rank][name] = smallest_change(draw, entries[name])
                found |= {f"{one}.entry": [rank] for one in ([name, "again"] if name == "weight" else [name])}
        cases.append(ranks)
        expected.append(found)
    for rank, seen in enumerate(observe(scenarios.drifted_entries, ranks=RANKS, cases=cases)):
        for number, (one, wanted) in enumerate(zip(seen, expected, strict=True)):
            expect(one["found"], f"drifted entries of case {number}, on rank {rank}").equals(
                wanted, "compare bits, of all dtypes: values lose nan, the sign of zero, or what a cast rounds"
            )


def test_drift_is_found_by_digests(observe, draw):
    """Entries that only differ in their order, or only in one place of many, are found without being sent."""
    cases, expected = [], []
    for kind in draw.shuffled(["order", "one place", "alike", "alike but one sign"]):
        base = draw.normal(5000)
        names = draw.shuffled(["encoder", "decoder", "head"])
        ranks = [{name: base + index for index, name in enumerate(names)} for _ in range(RANKS)]
        rank, place = draw.integer(0, RANKS - 1), draw.integer(0, 4998)
        changed = ranks[rank][names[0]].clone()
        if kind == "order":
            changed[[place, place + 1]] = changed[[place + 1, place]]
        if kind == "one place":
            changed[place] += 1.0
        if kind == "alike but one sign":
            changed[place] *= -1
        ranks[rank][names[0]] = changed
        cases.append(ranks)
        expected.append({} if kind == "alike" else {f"{names[0]}.entry": [rank], "again.entry": [rank]})
    whole = sum(value.nbytes for value in cases[0][0].values())
    for rank, seen in enumerate(observe(scenarios.drifted_entries, ranks=RANKS, cases=cases)):
        for number, (one, wanted) in enumerate(zip(seen, expected, strict=True)):
            what = f"case {number}, on rank {rank}"
            expect(one["found"], f"drifted entries, {what}").equals(wanted, "a digest of all bytes in their order")
            expect(one["sent"], f"bytes sent, of {whole} in the entries, {what}").less_than(
                RANKS * 4 * 400, "the ranks exchange a digest of each entry, not the entry"
            )


def test_units_that_keep_whole_weights_are_named(observe, draw):
    """Units that free after both passes, one or none, one of their parameters or all, running once or twice."""
    cases, expected = [], []
    for number in range(5):
        width, count = draw.integer(3, 5), draw.integer(3, 4)
        state = drawn_state(draw, [width] * (count + 1))
        whens = [draw.choice(list(FREED)) for _ in range(count)]
        sure = draw.integer(0, count - 1)
        whens[sure] = (True, False)
        whens = whens if number else [(False, False)] * count
        some = ([0], [1], [0, 1])
        kept = [[draw.choice(some) if one else [] for one in when] for when in whens]
        order, run = list(range(count)), number % 2
        if number:
            kept[sure][0] = [number // 2 % 2]  # the first parameter alone in some networks, the last one in others
            order.append(draw.choice([index for index, when in enumerate(whens) if when == (True, False)]))
        cases.append({"state": state, "kept": kept, "order": order, "run": run, "x": draw.normal(2, width)})
        expected.append({f"unit{index}": FREED[when] for index, when in enumerate(whens) if FREED[when]})
    for rank, seen in enumerate(observe(scenarios.kept, ranks=RANKS, cases=cases)):
        for number, (two, wanted) in enumerate(zip(seen, expected, strict=True)):
            for step, found in enumerate(two):
                expect(found, f"units of network {number} and when they are whole, step {step}, rank {rank}").equals(
                    wanted,
                    "a unit is whole while any parameter's storage has bytes: look behind forward, and at the end",
                )


def test_looking_at_units_leaves_no_trace(observe, draw):
    """The step is made once and computes as ever, storages stay, its exception passes, and no hook is left."""
    width = draw.integer(3, 5)
    state, x = drawn_state(draw, [width] * 4), draw.normal(2, width)
    whens = draw.shuffled([(True, True), (True, False), (False, False)])
    kept = [[[0, 1] if one else [] for one in when] for when in whens]
    expected = {f"unit{index}": FREED[when] for index, when in enumerate(whens) if FREED[when]}
    leaves = [tensor.double().requires_grad_() for pair in state for tensor in pair]
    outputs = outputs_of([leaves[index : index + 2] for index in range(0, len(leaves), 2)], x)
    gradients = torch.autograd.grad(outputs.square().sum(), leaves)
    for rank, seen in enumerate(observe(scenarios.looked_at, ranks=RANKS, state=state, kept=kept, x=x)):
        expect(len(seen["outputs"]), f"steps in three calls, on rank {rank}").equals(
            3, "step is called once in each call"
        )
        for output in seen["outputs"]:
            expect(output, f"output on rank {rank}").close_to(
                outputs.detach(), FLOAT32, "a forward hook that returns something replaces the output", torch.float32
            )
        expect(seen["found"], f"units that keep whole weights, on rank {rank}").equals(
            expected, "behind forward, and at the end of the step"
        )
        for index, (gradient, wanted) in enumerate(zip(seen["gradients"], gradients, strict=True)):
            expect(gradient, f"gradient {index} on rank {rank}").close_to(
                wanted, FLOAT32, "the step trains as it would without the probe", torch.float32
            )
        expect(seen["same storages"], f"bytes of the storages stay, rank {rank}").equals(
            True, "the probe frees nothing"
        )
        raised = seen["raised"].type if isinstance(seen["raised"], Raised) else "no exception"
        expect(raised, f"exception of the second step, rank {rank}").equals(
            "ArithmeticError", "what the step raises passes through the probe"
        )
        expect(seen["interrupted"], f"the KeyboardInterrupt of the third step arrives, rank {rank}").equals(
            True, "what the step raises passes through the probe"
        )
        expect(seen["hooks left"], f"hooks left, on rank {rank}").equals(False, "remove them in a finally")
