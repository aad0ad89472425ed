"""Scenarios of step 1 of Lab 07, sequences: what the suite makes the code under test do."""

import torch
from torch import Tensor, nn

from labkit.observe import Submission, attempt

SIDES = ("source", "target")
MATRICES, VECTORS = 0.3, 0.1  # standard deviations


def new_model(lab: Submission, sizes: dict, seed: int, device: torch.device) -> nn.Module:
    """A Seq2Seq with random parameters, whichever way it begins: no attention is to one token only, and none to all."""
    torch.manual_seed(seed)
    model = lab.Seq2Seq(**sizes).to(device)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=MATRICES)
            else:
                parameter += VECTORS * torch.randn_like(parameter)
    return model


def spelled(lab: Submission, numbers: list) -> list:
    """`words` of each number, or what it raised."""
    return [attempt(lambda number=number: lab.words(number)) for number in numbers]


def padded(lab: Submission, batches: list, values: list) -> list:
    """`pad` of each batch with each value, or what it raised; None: no value is given. And the batch afterwards.

    Every second batch is a tuple of tuples.
    """
    seen = []
    for number, (batch, value) in enumerate(zip(batches, values, strict=True)):
        batch = tuple(map(tuple, batch)) if number % 2 else batch
        more = {} if value is None else {"value": value}
        seen.append({"rows": attempt(lambda batch=batch, more=more: lab.pad(batch, **more)), "batch": batch})
    return seen


def rates(lab: Submission, arguments: list) -> list:
    """`noam` with each of these keyword arguments, or what it raised."""
    return [attempt(lambda one=one: lab.noam(**one)) for one in arguments]


def logits(lab: Submission, sizes: dict, sources: list, targets: list, seed: int) -> list:
    """The logits of one model for each pair of source and target."""
    model = new_model(lab, sizes, seed, sources[0].device)
    with torch.no_grad():
        return [model(source, target) for source, target in zip(sources, targets, strict=True)]


def changes(lab: Submission, sizes: dict, pairs: list, changed: list, seed: int) -> list:
    """How far the logits of each changed (source, target) are from those of the pair: the most at each position."""
    model = new_model(lab, sizes, seed, pairs[0][0].device)
    with torch.no_grad():
        return [
            (model(*map(as_batch, pair)) - model(*map(as_batch, other)))[0].abs().amax(dim=-1)
            for pair, other in zip(pairs, changed, strict=True)
        ]


def as_batch(row: Tensor) -> Tensor:
    return row[None]


def states(lab: Submission, sizes: dict, source: Tensor, target: Tensor, seeds: list) -> dict:
    """The logits of a model in eval mode, in train mode twice, and of another that was given its state dict."""
    model, other = (new_model(lab, sizes, seed, source.device) for seed in seeds)
    other.load_state_dict(model.state_dict())
    with torch.no_grad():
        seen = {"eval": model.eval()(source, target), "train": model.train()(source, target)}
        return seen | {"again": model(source, target), "loaded": other(source, target)}


def trained(lab: Submission, sizes: dict, source: Tensor, target: Tensor, seed: int, column: int) -> dict:
    """The source and target tokens that a gradient of the logits of one token, `column`, reaches, and how many
    parameters it does not reach.

    A matrix belongs to a vocabulary if one of its sides has that length, as those of embeddings and head have.
    """
    model = new_model(lab, sizes, seed, source.device)
    model(source, target)[..., column].sum().backward()
    reached = {side: touched(model, sizes[f"{side}_tokens"]) for side in SIDES}
    return reached | {"left out": sum(parameter.grad is None for parameter in model.parameters())}


def touched(model: nn.Module, vocabulary: int) -> list[int]:
    found = set()
    for parameter in model.parameters():
        if parameter.grad is not None and parameter.dim() == 2 and vocabulary in parameter.shape:
            other = 1 - parameter.shape.index(vocabulary)
            found.update(parameter.grad.abs().sum(dim=other).nonzero().flatten().tolist())
    return sorted(found)


def counts(lab: Submission, variants: list) -> list:
    """How many parameters a model of each of these sizes has."""
    return [sum(parameter.numel() for parameter in lab.Seq2Seq(**sizes).parameters()) for sizes in variants]


def heads(
    lab: Submission, sizes: dict, sources: Tensor, targets: Tensor, seeds: list, numbers: list, scales: dict
) -> list:
    """The logits of the last target position, for each seed of models that differ in the number of heads alone."""
    seen = []
    with torch.no_grad():
        for seed in seeds:
            models = [scaled_model(lab, sizes | {"heads": one}, seed, sources.device, **scales) for one in numbers]
            seen.append([model(sources, targets)[:, -1] for model in models])
    return seen


def scaled_model(
    lab: Submission, sizes: dict, seed: int, device: torch.device, matrices: float, embeddings: float, common: float
) -> nn.Module:
    """A Seq2Seq whose embeddings and other matrices have these standard deviations; the embeddings of all source
    tokens also have a vector in common, of this standard deviation.

    A matrix embeds something if one of its sides has the length of a vocabulary, or max_length.
    """
    model, generator = new_model(lab, sizes, seed, device), torch.Generator().manual_seed(seed)
    shared = common * torch.randn(sizes["d_model"], generator=generator).to(device)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                embeds = {sizes["source_tokens"], sizes["target_tokens"], sizes["max_length"]} & {*parameter.shape}
                parameter *= (embeddings if embeds else matrices) / MATRICES
                if sizes["source_tokens"] in parameter.shape:
                    parameter += shared if parameter.shape[-1] == len(shared) else shared[:, None]
    return model


def under_autocast(
    lab: Submission, sizes: dict, source: Tensor, target: Tensor, seed: int, dtypes: list, modes: list, gradients: list
) -> list:
    """The logits, as float32, of one model under autocast in each dtype, in train mode or eval mode, with gradients or
    without; float32: without autocast."""
    model, seen = new_model(lab, sizes, seed, source.device), []
    for dtype, trains, grads in zip(dtypes, modes, gradients, strict=True):
        model.train(trains)
        enabled = dtype != torch.float32
        with torch.set_grad_enabled(grads), torch.autocast(source.device.type, dtype=dtype, enabled=enabled):
            seen.append(model(source, target).detach().float())
    return seen


def shapes(lab: Submission, sizes: dict, sources: list, targets: list) -> list:
    """The shape of the logits for each pair of source and target, or what was raised."""
    model = lab.Seq2Seq(**sizes).to(sources[0].device)
    return [
        attempt(lambda source=source, target=target: list(model(source, target).shape))
        for source, target in zip(sources, targets, strict=True)
    ]


def built(lab: Submission, variants: list, source: Tensor, target: Tensor) -> list:
    """The shape of the logits of a model of each of these sizes, or what was raised when it was built."""

    def shape(sizes: dict) -> list:
        return list(lab.Seq2Seq(**sizes).to(source.device)(source, target).shape)

    return [attempt(lambda sizes=sizes: shape(sizes)) for sizes in variants]
