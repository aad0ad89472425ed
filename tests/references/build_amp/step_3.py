"""Step 3 of Lab 06: drawn calls, and what a right autocast makes of them, by plain formulas."""

import itertools

import torch
from torch import Tensor
from torch.nn import functional as F

from labkit.judge.draw import Draw
from references.build_amp.common import HALVES

# A function of `LOWER` each: how it is called, and the shapes of its tensors.
LOWERED = (
    ("F.linear", (2, 3, 8), (4, 8)),
    ("F.linear", (3, 8), (4, 8), (4,)),
    ("torch.matmul", (2, 3, 8), (8, 4)),
    ("Tensor.matmul", (3, 8), (8,)),
    ("operator.matmul", (3, 8), (8, 4)),
    ("Tensor.__matmul__", (3, 8), (8, 4)),
    ("Tensor.__rmatmul__", (8, 4), (3, 8)),
    ("torch.mm", (3, 8), (8, 4)),
    ("Tensor.mm", (3, 8), (8, 4)),
    ("torch.bmm", (2, 3, 8), (2, 8, 4)),
    ("torch.addmm", (3, 4), (3, 8), (8, 4)),
    ("torch.addbmm", (3, 4), (2, 3, 8), (2, 8, 4)),
    ("torch.baddbmm", (2, 3, 4), (2, 3, 8), (2, 8, 4)),
    ("F.prelu", (3, 4), (4,)),
    ("F.conv1d", (2, 3, 7), (4, 3, 2)),
    ("F.conv2d", (2, 3, 4, 4), (4, 3, 2, 2)),
    ("F.conv3d", (1, 2, 3, 3, 3), (3, 2, 2, 2, 2)),
    ("F.conv_transpose1d", (2, 3, 4), (3, 4, 2)),
    ("F.conv_transpose2d", (2, 3, 3, 3), (3, 4, 2, 2)),
    ("F.conv_transpose3d", (1, 2, 2, 2, 2), (2, 3, 2, 2, 2)),
    ("F.scaled_dot_product_attention", (2, 4, 8), (2, 5, 8), (2, 5, 8)),
)


def operand(draw: Draw, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Values between 0.5 and 2: sums of products of a few, once rounded to half, are exact in float32 in any order."""
    return draw.away_from_zero(*shape).to(dtype)


def lowered_calls(draw: Draw) -> list[dict]:
    """A call of each function of `LOWER`; of its tensors some are float32, and some half."""
    calls = []
    for function, *shapes in LOWERED:
        dtypes = draw.shuffled((torch.float32, *[draw.choice((torch.float32, *HALVES)) for _ in shapes[1:]]))
        tensors = [operand(draw, *shape, dtype=dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]
        calls.append({"function": function, "args": tensors})
    return calls


def in_dtype(dtype: torch.dtype, x: Tensor, weight: Tensor) -> Tensor:
    """x @ weight.T with both rounded to `dtype` first and the exact result rounded once."""
    return (x.to(dtype).double() @ weight.to(dtype).double().T).to(dtype)


def float32_calls(draw: Draw) -> list[dict]:
    """Calls of each function of `FP32`: all in float16, all in bfloat16, and on a mix of them and float32."""
    dtypes = [(one,) for one in HALVES] + [(torch.float32, *HALVES)]
    return draw.shuffled([call for some in dtypes for call in _losses(draw, some)])


def _losses(draw: Draw, dtypes: tuple[torch.dtype, ...]) -> list[dict]:
    """A call of each function of `FP32` on tensors of some of these dtypes, at least one of them half."""
    rows, classes = 6, 5

    def half() -> torch.dtype:
        return draw.choice([dtype for dtype in dtypes if dtype in HALVES])

    def any_dtype() -> torch.dtype:
        return draw.choice(dtypes)

    def shares() -> Tensor:
        return torch.sigmoid(draw.normal(rows, classes))

    def values(dtype: torch.dtype) -> Tensor:
        return draw.normal(rows, classes, scale=3.0).to(dtype)

    labels = draw.integers(rows, high=classes)
    class_weights = draw.away_from_zero(classes).abs()
    calls = [
        {"function": f"F.{name}", "args": draw.shuffled([values(half()), values(any_dtype())])}
        for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
    ]
    weight = {"weight": class_weights.to(half())}
    calls += [
        {"function": "F.cross_entropy", "args": [values(half()), labels], "keywords": weight},
        {"function": "F.cross_entropy", "args": [values(half()), F.softmax(values(torch.float32), 1).to(any_dtype())]},
        {"function": "F.nll_loss", "args": [values(half()), labels], "keywords": weight},
        {"function": "F.kl_div", "args": [values(half()), shares().to(any_dtype())], "keywords": {"reduction": "sum"}},
        {"function": "F.binary_cross_entropy", "args": [shares().to(half()), shares().to(any_dtype())]},
        {
            "function": "F.binary_cross_entropy_with_logits",
            "args": [values(half()), shares().to(any_dtype())],
            "keywords": {"pos_weight": class_weights.to(half())},
        },
    ]
    return calls


def widened(value: object) -> object:
    """`value` with its float16 and bfloat16 tensors in float32, also those in dicts and lists."""
    if isinstance(value, Tensor):
        return value.float() if value.dtype in HALVES else value
    if isinstance(value, dict):
        return {key: widened(item) for key, item in value.items()}
    return [widened(item) for item in value] if isinstance(value, list) else value


def promoting_calls(draw: Draw) -> tuple[list[dict], list[Tensor]]:
    """Calls of each function of `PROMOTE` on every pair of dtypes, and their results."""
    dtypes = (*HALVES, torch.float32, torch.float64)
    calls, results = [], []
    for first, second in draw.shuffled(list(itertools.product(dtypes, dtypes))):
        into, rows = draw.normal(6, 3).to(first), draw.normal(2, 3).to(second)
        index = torch.tensor([draw.integer(0, 2), draw.integer(3, 5)])
        widest = torch.promote_types(first, second)
        function = draw.choice(("Tensor.index_copy", "torch.index_copy"))
        calls.append({"function": function, "args": [into, 0, index, rows]})
        results.append(into.to(widest).index_copy(0, index, rows.to(widest)))
        function = draw.choice(("torch.cat", "torch.stack"))
        calls.append({"function": function, "args": [[into[:2], rows]]})
        results.append(getattr(torch, function[6:])([into[:2].to(widest), rows.to(widest)]))
        # Tensors without dimensions, which count less by PyTorch's own rules, and without entries count as all others.
        small = draw.shuffled((draw.normal(1)[0].to(second), draw.normal(1)[0].to(first)))
        calls.append({"function": "torch.stack", "args": [small]})
        results.append(torch.stack([one.to(widest) for one in small]))
        calls.append({"function": "torch.index_copy", "args": [into[:, 0], 0, index[0], rows[0, 0]]})
        results.append(into[:, 0].to(widest).index_copy(0, index[0], rows[0, 0].to(widest)))
        for place in range(3):
            parts = [into, into[:1]]
            parts.insert(place, rows[:0])
            calls.append({"function": "torch.cat", "args": [parts]})
            results.append(torch.cat([one.to(widest) for one in parts]))
    return calls, results


def other_calls(draw: Draw) -> list[dict]:
    """Calls of functions that are in no list, each on tensors of one dtype; some have names much like those in one."""
    calls = []
    for function, shapes, more in (
        ("F.softmax", [(3, 8)], [-1]),
        ("F.layer_norm", [(3, 8)], [[8]]),
        ("torch.exp", [(3, 8)], []),
        ("torch.sum", [(3, 8)], []),
        ("torch.mul", [(3, 8), (8,)], []),
        ("torch.mv", [(3, 8), (8,)], []),
        ("torch.dot", [(8,), (8,)], []),
        ("torch.addmv", [(3,), (3, 8), (8,)], []),
        ("Tensor.addmm_", [(3, 4), (3, 8), (8, 4)], []),
        ("F.bilinear", [(3, 4), (3, 2), (5, 4, 2)], []),
        ("linalg.matmul", [(3, 8), (8, 4)], []),
        ("F.soft_margin_loss", [(3, 8), (3, 8)], []),
    ):
        for dtype in (torch.float32, draw.choice(HALVES)):
            calls.append({"function": function, "args": [*(operand(draw, *one, dtype=dtype) for one in shapes), *more]})
    calls.append({"function": "torch.full", "args": [[3], draw.number(0.5, 2.0)]})
    return draw.shuffled(calls)


def calls_on_other_tensors(draw: Draw) -> list[dict]:
    """Calls of listed functions on float64, integers and bools, beside half tensors where they belong."""
    large = 2**40

    def double(*shape: int) -> Tensor:
        return draw.normal(*shape, dtype=torch.float64) / 3

    def attention(*shape: int) -> Tensor:
        return operand(draw, *shape, dtype=torch.bfloat16)

    labels, index = draw.integers(6, high=5), torch.tensor([draw.integer(0, 3)])
    mask = torch.tensor([draw.pattern(5) for _ in range(4)])
    return [
        {"function": "F.linear", "args": [double(3, 8), double(4, 8)]},
        {"function": "operator.matmul", "args": [double(3, 8), double(8, 4)]},
        {"function": "F.mse_loss", "args": [double(6), double(6)]},
        {"function": "F.mse_loss", "args": [double(6), draw.normal(6, dtype=torch.bfloat16)]},
        {"function": "F.cross_entropy", "args": [double(6, 5), labels]},
        {"function": "torch.cat", "args": [[draw.integers(3, high=large), draw.integers(3, high=large)]]},
        {
            "function": "torch.index_copy",
            "args": [draw.integers(4, high=large), 0, index, draw.integers(1, high=large)],
        },
        {
            "function": "F.scaled_dot_product_attention",
            "args": [attention(2, 4, 8), attention(2, 5, 8), attention(2, 5, 8)],
            "keywords": {"attn_mask": mask},
        },
    ]


def calls_with_out(draw: Draw) -> list[dict]:
    """Calls of functions of `LOWER` and `PROMOTE` that write into a float32 tensor."""
    return [
        {
            "function": function,
            "args": [operand(draw, *shape) for shape in shapes],
            "keywords": {"out": draw.normal(*to)},
        }
        for function, shapes, to in (
            ("torch.mm", [(3, 8), (8, 4)], (3, 4)),
            ("torch.matmul", [(3, 8), (8,)], (3,)),
            ("torch.bmm", [(2, 3, 8), (2, 8, 4)], (2, 3, 4)),
            ("torch.addmm", [(3, 4), (3, 8), (8, 4)], (3, 4)),
        )
    ] + [
        {
            "function": function,
            "args": [draw.shuffled((operand(draw, 2, 3), operand(draw, 2, 3, dtype=torch.float64)))],
            "keywords": {"out": draw.normal(*to)},
        }
        for function, to in (("torch.cat", (4, 3)), ("torch.stack", (2, 2, 3)))
    ]


def calls_with_lists_and_keywords(draw: Draw) -> list[dict]:
    """Calls that need a cast, with tensors in lists, tuples and keyword arguments."""
    x, weight = operand(draw, 3, 8), operand(draw, 4, 8)
    query, mask = operand(draw, 2, 4, 8), draw.normal(4, 4)
    half = {dtype: draw.normal(3, 8, dtype=dtype) for dtype in HALVES}
    return [
        {"function": "F.linear", "args": [], "keywords": {"input": x, "weight": weight, "bias": operand(draw, 4)}},
        {"function": "F.linear", "args": [x.bfloat16(), weight], "keywords": {"bias": operand(draw, 4)}},
        {"function": "torch.einsum", "args": ["ij,kj->ik", [x, weight]]},
        {"function": "torch.einsum", "args": ["ij,kj->ik", [x, weight.half()]], "tuples": True},
        {"function": "torch.einsum", "args": ["ij,kj->ik", x.half(), weight]},
        {
            "function": "F.scaled_dot_product_attention",
            "args": [query, query.half()],
            "keywords": {"value": operand(draw, 2, 4, 8), "attn_mask": mask},
        },
        {
            "function": "F.mse_loss",
            "args": [],
            "keywords": {"input": half[torch.float16], "target": half[torch.bfloat16]},
        },
        {
            "function": "torch.index_copy",
            "args": [half[torch.bfloat16], 0],
            "keywords": {"index": torch.tensor([1, 0, 2]), "source": x},
        },
    ]


def calls_of_each_list(draw: Draw, dtype: torch.dtype) -> list[dict]:
    """Calls of functions of LOWER, FP32 and PROMOTE by turns, each of which a region in `dtype` changes."""
    calls = []
    for _ in range(4):
        into, index = draw.normal(4, 3), torch.tensor([draw.integer(0, 3)])
        calls += [
            {"function": "F.linear", "args": [operand(draw, 3, 8), operand(draw, 4, 8)]},
            {"function": "F.mse_loss", "args": [draw.normal(6, dtype=dtype), draw.normal(6, dtype=dtype)]},
            {"function": "torch.index_copy", "args": [into, 0, index, draw.normal(1, 3, dtype=dtype)]},
        ]
    return calls


def region(body: list[dict], dtype: torch.dtype = torch.bfloat16, enabled: bool = True, failure: str = "") -> dict:
    """A step of a program of nested regions."""
    return {"body": body, "dtype": dtype, "enabled": enabled, "failure": failure}


def steps_in(program: list[dict], dtype: torch.dtype = torch.float32) -> list[tuple[dict, torch.dtype]]:
    """The steps of a program that are no regions, in order, each with the dtype that the innermost one asks for."""
    found = []
    for step in program:
        if "body" in step:
            found += steps_in(step["body"], step["dtype"] if step["enabled"] else torch.float32)
        else:
            found.append((step, dtype))
    return found


def failures_of(program: list[dict]) -> list[str]:
    """What each region of a program ends by, in the order in which they end."""
    return [text for step in program if "body" in step for text in (*failures_of(step["body"]), step["failure"])]
