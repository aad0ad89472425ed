"""When bf16 is slower: the time of a step of each job's model beside the size of its products."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from matplotlib import pyplot
from matplotlib.figure import Figure
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from labkit.experiments.style import FORMATS
from labkit.labs.capstones.images import BATCH
from labkit.labs.capstones.minilm import Bert
from labkit.labs.capstones.pretrained import Classifier
from labkit.labs.capstones.words import Words
from labkit.toolbox.emulation import PRODUCTS
from labkit.toolbox.measure import check_amp_available, interleaved_medians, one_thread

TITLE = "A training step of each job's model in fp32 and in bf16, on one thread"
TIMED = True
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
REPEATS = 5
# Two of MiniLM's six layers, with drawn weights: nothing is downloaded for a time.
SIZES: dict[str, Any] = {
    "hidden_size": 384, "num_attention_heads": 12, "intermediate_size": 1536, "num_hidden_layers": 2,
    "vocab_size": 1000, "max_position_embeddings": 16, "type_vocab_size": 2, "hidden_dropout_prob": 0.1,
    "hidden_act": "gelu", "layer_norm_eps": 1e-12,
}  # fmt: skip
ROWS, LENGTH = 32, 8  # words of a batch, tokens of a word
SIDE = 28  # pixels, as MNIST has them


class _Counted(TorchDispatchMode):
    """Counts products and casts."""

    def __init__(self) -> None:
        super().__init__()
        self.products = self.casts = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.products += func in PRODUCTS
        self.casts += func.overloadpacket == torch.ops.aten._to_copy
        return func(*args, **(kwargs or {}))


def measure(lab: ModuleType) -> dict[str, Any]:
    """For each job: milliseconds of a step, products and casts in it, and the mean size of a product."""
    makers = {"words": Words().one_step, "images": _image_step, "bert": _bert_step}
    data: dict[str, Any] = {"native": check_amp_available(torch.bfloat16, "cpu"), "jobs": {}}
    with one_thread():
        for name, maker in makers.items():
            steps = {dtype: maker(lab, DTYPES[dtype]) for dtype in DTYPES}
            medians = interleaved_medians(steps, REPEATS)
            counted, flops = _Counted(), FlopCounterMode(display=False)
            with flops, counted:
                steps["bf16"]()
            data["jobs"][name] = {
                "milliseconds": {dtype: 1000 * seconds for dtype, seconds in medians.items()},
                "products": counted.products,
                "casts": counted.casts,
                "megaflops": flops.get_total_flops() / counted.products / 1e6,
            }
    return data


def _image_step(lab: ModuleType, dtype: torch.dtype) -> Callable[[], object]:
    torch.manual_seed(0)
    model = lab.small_resnet()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
    train, test = [(torch.rand(n, 1, SIDE, SIDE), torch.randint(10, (n,))) for n in (BATCH, 1)]
    return lambda: lab.train_images(model, [train], [test], optimizer, scheduler, dtype, 1)


def _bert_step(lab: ModuleType, dtype: torch.dtype) -> Callable[[], object]:
    torch.manual_seed(0)
    model = Classifier(Bert(SIZES), SIZES["hidden_size"], pad=0)
    batch = torch.randint(1, SIZES["vocab_size"], (ROWS, LENGTH)), torch.randint(2, (ROWS,))
    return lambda: lab.fine_tune(model, [batch], dtype, lr=1e-4, warmup=0)


def table(data: dict[str, Any]) -> list[list[str]]:
    rows = [["job", "fp32 ms", "bf16 ms", "fp32/bf16", "products", "MFLOP each", "casts"]]
    for name, job in data["jobs"].items():
        times = job["milliseconds"]
        rows.append(
            [
                name,
                *(f"{times[dtype]:.0f}" for dtype in DTYPES),
                f"{_gain(job):.2f}",
                str(job["products"]),
                f"{job['megaflops']:.0f}",
                str(job["casts"]),
            ]
        )
    return rows


def _gain(job: dict[str, Any]) -> float:
    return job["milliseconds"]["fp32"] / job["milliseconds"]["bf16"]


def notice(data: dict[str, Any]) -> str:
    jobs = data["jobs"]
    gains = ", ".join(f"{_gain(job):.2f} for {name}" for name, job in jobs.items())
    small, large = (pick(jobs, key=lambda name: jobs[name]["megaflops"]) for pick in (min, max))
    if data["native"]:
        why = "Casts are the price, and large products in 16 bits pay it back."
    else:
        why = "This CPU has no bf16 instructions: products are slow too, and nothing pays the casts back."
    return (
        f"The time in fp32 over the time in bf16 is {gains}: below 1 bf16 is the slower one. A product "
        f"has {jobs[small]['megaflops']:.0f} million operations in {small} and {jobs[large]['megaflops']:.0f} million "
        f"in {large}; the step of {small} casts {jobs[small]['casts']} tensors for {jobs[small]['products']} products. "
        f"{why}"
    )


def draw(data: dict[str, Any]) -> Figure:
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 5.5))
    jobs = data["jobs"]
    for shift, dtype in enumerate(DTYPES):
        places = [place + 0.4 * shift - 0.2 for place in range(len(jobs))]
        times = [job["milliseconds"][dtype] for job in jobs.values()]
        bars = left.bar(places, times, 0.38, color=FORMATS[dtype], label=dtype)
        left.bar_label(bars, [f"{time:.0f}" for time in times])
    left.set(title="Time of a training step", ylabel="milliseconds", yscale="log")
    left.yaxis.set_major_formatter("{x:g}")
    left.margins(y=0.12)
    left.set_xticks(range(len(jobs)), jobs)
    left.grid(axis="x", visible=False)
    gains = [_gain(job) for job in jobs.values()]
    bars = right.bar(range(len(jobs)), gains, 0.5, color=FORMATS["bf16"])
    right.bar_label(bars, [f"{gain:.2f}" for gain in gains])
    right.axhline(1, color=pyplot.rcParams["text.color"], linewidth=1)
    right.set(title="What bf16 gains", ylabel="time in fp32 / time in bf16", ylim=(0, max(1.1, 1.15 * max(gains))))
    labels = [f"{name}\n{job['megaflops']:.0f} MFLOP\na product" for name, job in jobs.items()]
    right.set_xticks(range(len(jobs)), labels)
    right.grid(axis="x", visible=False)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure
