"""Lab 07: three real trainings in mixed precision: a Transformer, a residual network, and a fine-tuned BERT.

Each trains in float32, bfloat16 or float16, with the tools of torch.amp. Read `docs/07_capstones.md` beside it; run
`make test-lab07` after every change.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # finds labkit when it is not installed

__all__ = [
    "EOS",
    "PAD",
    "SOS",
    "ResidualBlock",
    "Seq2Seq",
    "exact_match",
    "fine_tune",
    "greedy_decode",
    "noam",
    "pad",
    "parameter_groups",
    "sequence_loss",
    "small_resnet",
    "train_images",
    "train_step",
    "warmup_linear",
    "words",
]

# A CPU's fused attention for inference fails under autocast: https://github.com/pytorch/pytorch/issues/107663
torch.backends.mha.set_fastpath_enabled(False)

PAD, SOS, EOS = 0, 1, 2  # tokens: what fills a row up, what a target begins with, what it ends with


# Step 1: sequences

_SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def words(number: int) -> list[str]:
    """The English words of a number from 0 to 9999: 4021 is four, thousand, twenty, one.

    Neither "and" nor hyphens: 342 is three, hundred, forty, two. 0 is zero, and nothing else has a zero in it.

    Raises:
        ValueError: the number is below 0 or above 9999.
    """
    # TODO: refuse what is out of range; thousands, hundreds, then tens and units, without zeros
    raise NotImplementedError("Step 1: words")


def pad(sequences: Sequence[Sequence[int]], value: int = PAD) -> Tensor:
    """The sequences as rows of an int64 tensor (N, longest), filled up with `value` on the right.

    Sequences may be lists or tuples, and stay as they are.

    Raises:
        ValueError: there are no sequences.
    """
    # TODO: refuse no sequences; new rows, filled up to the longest
    raise NotImplementedError("Step 1: pad")


def noam(step: int, d_model: int, warmup: int, factor: float = 1.0) -> float:
    """The learning rate of `step`: up in a straight line for `warmup` steps, then down with 1 / sqrt(step).

    factor * d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)

    Args:
        step: from 1; the first optimizer step is 1.
        d_model: the width of the model, at least 1.
        warmup: the step at which the rate is highest, at least 1.
        factor: multiplies all of it.

    Raises:
        ValueError: step, d_model or warmup is below 1.

    Source: https://arxiv.org/abs/1706.03762, section 5.3
    """
    # TODO: refuse what is below 1; the smaller one of a line and a root
    raise NotImplementedError("Step 1: noam")


class Seq2Seq(nn.Module):
    """An encoder-decoder Transformer over tokens; token 0 is padding.

    The order of the tokens matters, in the source and in the target. What the model says of one row does not depend on
    the other rows, nor on how many pads the rows are filled up with. There is no dropout: train mode and eval mode give
    the same. The model also runs under autocast in bfloat16 and float16, in both modes, with and without gradients.
    Gradients flow from the logits to all parameters. The state dict holds all that another model of the same sizes
    needs to give the same logits.

    Yours to choose: nn.Transformer or layers that you write, sinusoids or learned positions, the factor sqrt(d_model)
    of the embeddings or none, norms before or after, and how the parameters begin.

    Source: https://arxiv.org/abs/1706.03762
    """

    def __init__(
        self,
        source_tokens: int,
        target_tokens: int,
        d_model: int = 64,
        heads: int = 4,
        layers: int = 1,
        feedforward: int = 128,
        max_length: int = 32,
    ) -> None:
        """A model for tokens from 0 to source_tokens - 1 in the source, and to target_tokens - 1 in the target.

        Args:
            source_tokens: size of the source vocabulary.
            target_tokens: size of the target vocabulary.
            d_model: width of embeddings and layers; any multiple of `heads`, odd ones too.
            heads: of each of the three attentions: of the encoder, of the decoder, and from decoder to encoder. Each
                head sees its own part of the width, d_model / heads.
            layers: of the encoder, and of the decoder.
            feedforward: width between the two linear layers that follow the attention in each layer.
            max_length: the longest sequence that it can take, source or target.

        Raises:
            ValueError: a size is below 1, or d_model is not a multiple of heads.
        """
        # TODO: check the sizes; embeddings, positions, encoder, decoder, and a head to the logits
        raise NotImplementedError("Step 1: Seq2Seq.__init__")

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Logits (N, T, target_tokens) of the token after each target position.

        A position of the target sees all tokens of its source, itself, and what is before it: nothing after it. What
        comes out where the target has pads is left open.

        Args:
            source: int64 tokens (N, S), pads on the right.
            target: int64 tokens (N, T), pads on the right, none at the first place.

        Raises:
            ValueError: there are no rows, or not as many of one as of the other; one has no tokens, or more than
                max_length in a row; a token is not in its vocabulary; a source row has nothing but pads.
        """
        # TODO: check the tokens; embed, hide later target tokens and the source's pads, give logits
        raise NotImplementedError("Step 1: Seq2Seq.forward")


# Step 2: a training step


def sequence_loss(logits: Tensor, targets: Tensor, pad: int = PAD) -> Tensor:
    """The mean cross entropy over the tokens that are not `pad`, a float32 scalar.

    Computed in float32, also from half logits and inside an autocast region. Every token counts the same, whichever
    row it is in. Gradients flow back to the logits; where the target is `pad`, they are 0.

    Args:
        logits: (N, T, V), finite, of any floating-point dtype.
        targets: int64 tokens (N, T).
        pad: the token that does not count.

    Raises:
        ValueError: there are no targets, or all of them are pads.
    """
    # TODO: refuse targets without tokens; the float32 mean over all that are not pad
    raise NotImplementedError("Step 2: sequence_loss")


def train_step(
    model: nn.Module,
    batch: tuple[Tensor, Tensor],
    optimizer: Optimizer,
    scheduler: LRScheduler,
    scaler: GradScaler,
    dtype: torch.dtype,
    max_grad_norm: float,
) -> tuple[float, bool]:
    """One training step of a sequence model; gives the loss as a number, and whether the optimizer stepped.

    The whole model is in train mode, and begins without gradients: a parameter that has no part in the loss stays as it
    is, also with weight decay. The model sees each target without its last token, and
    learns to say the token after each one that it sees; the loss is `sequence_loss`, where PAD does not count. The
    forward pass runs under autocast in `dtype`, float32 without, also in a region of the caller's; after the call
    autocast is as it was.

    The true gradients are clipped to the global 2-norm `max_grad_norm`, all parameters together. If one of them is inf
    or nan, the step is skipped, also by a scaler that is disabled. The scheduler moves after the optimizer, once, and
    only if the optimizer has stepped. The loss that comes back is the true one, not scaled, also of a skipped step.

    Args:
        model: called once, as `model(source, target)`; gives logits. A parameter may have no part in it.
        batch: source tokens (N, S) and target tokens (N, T), on the device of the model.
        optimizer: over the model's parameters, in one group or several.
        scheduler: of the optimizer's learning rate; the caller does not step it.
        scaler: enabled or disabled; it is updated in each call.
        dtype: torch.float32, torch.bfloat16 or torch.float16.
        max_grad_norm: the limit, above 0.

    Raises:
        ValueError: the targets have nothing after their first tokens but pads; no parameter has changed.
    """
    # TODO: forward and loss, scaled backward, unscale, clip, step or skip, update; the scheduler after a step
    raise NotImplementedError("Step 2: train_step")


# Step 3: decoding


def greedy_decode(model: nn.Module, source: Tensor, max_length: int, dtype: torch.dtype) -> Tensor:
    """The likeliest token at each position, PAD too, given those before it: int64 tokens (N, at most max_length).

    Each row begins after <sos>, which is not in the result, and ends with its first <eos>, which is; after it there are
    pads. Decoding stops when all rows have ended, or at `max_length` tokens: the result is as wide as its longest row,
    and the model runs once for each column of it.

    The model runs in eval mode, without gradients, under autocast in `dtype` (float32 without, also in a region of the
    caller's). Afterwards autocast and
    gradients are as they were, and each module of the model is in the mode that it was in before, also after an error.

    Args:
        model: called as `model(source, target)`, gives logits (N, T, V). The logits at a position depend on nothing
            after it, and those of a row on no other row.
        source: tokens (N, S), on the device of the model.
        max_length: the most tokens of a row, <eos> included.
        dtype: torch.float32, torch.bfloat16 or torch.float16.

    Raises:
        ValueError: the source has no rows, or max_length is below 1.
    """
    # TODO: eval mode, no gradients, autocast; append the likeliest token until all rows have ended; put the modes back
    raise NotImplementedError("Step 3: greedy_decode")


def exact_match(decoded: Tensor, targets: Tensor) -> float:
    """The share of rows that are right in every token up to and including <eos>.

    What comes after the first <eos> of a row, in either tensor, does not count, nor how wide the two tensors are. A
    decoded row without <eos> is wrong.

    Args:
        decoded: tokens (N, A), without <sos>.
        targets: tokens (N, B), without <sos>, each row with an <eos>.

    Raises:
        ValueError: there are no rows, or not as many of one as of the other.
    """
    # TODO: refuse no rows; the share of rows that are right up to and including <eos>
    raise NotImplementedError("Step 3: exact_match")


# Step 4: images


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, each with batch norm, and a shortcut: (N, in, H, W) -> (N, out, H / stride, W / stride).

    It computes relu(norm2(conv2(relu(norm1(conv1(x))))) + shortcut(x)). `conv1` has the stride; both 3x3 convolutions
    pad with one row of zeros on each side, so that an odd size divided by the stride is rounded up. The shortcut is x
    itself if stride is 1 and the numbers of channels are equal; else it is a 1x1 convolution with the stride, and a
    batch norm. No convolution has a bias. Batch norms are those of nn.BatchNorm2d, with its defaults.

    Weights have these names in the state dict: conv1.weight, norm1.weight, norm1.bias, norm1.running_mean, and so on;
    in the shortcut, shortcut.0 is the convolution and shortcut.1 the batch norm.

    Source: https://arxiv.org/abs/1512.03385, section 3
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        """A block with these channels and this stride."""
        # TODO: two 3x3 convolutions, two norms, and a shortcut that changes shapes where it has to
        raise NotImplementedError("Step 4: ResidualBlock.__init__")

    def forward(self, x: Tensor) -> Tensor:
        """The block's output for `x` (N, in_channels, H, W)."""
        # TODO: two convolutions with their norms, plus the shortcut, then relu
        raise NotImplementedError("Step 4: ResidualBlock.forward")


def small_resnet(width: int = 16, classes: int = 10) -> nn.Module:
    """A residual network: images (N, 1, H, W) of any height and width -> logits (N, classes).

    In this order: a 3x3 convolution to `width` channels with padding 1 and without bias, batch norm, relu; three
    `ResidualBlock`s, to `width` channels with stride 1, to 2 x `width` with stride 2, to 4 x `width` with stride 2; the
    mean over all positions of each channel; a linear layer with bias. How its own layers are called is up to you.
    """
    # TODO: stem, three blocks, mean over positions, linear layer
    raise NotImplementedError("Step 4: small_resnet")


def train_images(
    model: nn.Module,
    train: Sequence[tuple[Tensor, Tensor]],
    test: Sequence[tuple[Tensor, Tensor]],
    optimizer: Optimizer,
    scheduler: LRScheduler,
    dtype: torch.dtype,
    epochs: int,
) -> list[dict[str, float]]:
    """Trains a network on images, and measures it on others after each epoch.

    Parameters of four dimensions, and all images that the model is given, are in channels_last memory format. The model
    runs under autocast in `dtype` (float32 without, also in a region of the caller's), in training and in measuring.
    Images, parameters and batch norm's statistics stay float32 themselves. The loss is cross entropy in float32, also
    of half logits.

    Each batch of `train` is a step, in order. All modules are in train mode, and gradients that were there before have
    no part. A step whose gradients have an inf or nan is skipped, in every dtype. float16 trains with a loss scale: a
    GradScaler as PyTorch makes it, one for all epochs, whose scale begins at 65536. Other dtypes have none.

    The scheduler moves once an epoch, after the last batch, also if steps were skipped. Then `test` is measured, in
    eval mode and without gradients. All modules are in train mode when the function returns.

    Args:
        model: on the device of the images, with float32 parameters.
        train: images (n, C, H, W) and labels (n,) each; n may differ.
        test: the same, of which nothing is learnt.
        optimizer: over the model's parameters, with learning rates that are Python numbers.
        scheduler: of the optimizer's learning rate.
        dtype: torch.float32, torch.bfloat16 or torch.float16.
        epochs: how many times it goes through `train`, at least 1.

    Returns:
        A dict for each epoch, of Python numbers: "loss", the mean training loss over all samples, those of skipped
        steps too; "accuracy", from 0 to 1, the share of all test images whose largest logit is that of their label;
        "lr", the learning rate of the optimizer's first group in this epoch; "skipped", how many steps were skipped.

    Raises:
        ValueError: train or test has no batches, or epochs is below 1; nothing has changed then.
    """
    # TODO: each epoch: train under autocast in channels_last, move the scheduler, measure in eval mode, note it all
    raise NotImplementedError("Step 4: train_images")


# Step 5: fine-tuning


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """The parameters to train, as two groups for an optimizer: first those with weight decay, then those without.

    Each group is a dict with "params", a list, and "weight_decay". There are always two, also if one has no parameters.
    A parameter of two or more dimensions decays; biases and the weights of norms have one dimension and do not.
    Frozen parameters (requires_grad False) are in neither group, and one that several modules share is there once.

    Args:
        model: any module.
        weight_decay: of the first group; the second has 0.0.
    """
    # TODO: two groups of the trained parameters: two or more dimensions decay, the others do not
    raise NotImplementedError("Step 5: parameter_groups")


def warmup_linear(step: int, warmup: int, total: int) -> float:
    """The factor of the learning rate at `step`: up in a straight line to 1, then down in another to 0.

    It is the smaller one of (step + 1) / warmup and (total - step) / (total - warmup + 1): step 0 has a factor above 0,
    step warmup - 1 has all of it, and the last step, total - 1, has some. From step total on it is 0.

    Args:
        step: from 0.
        warmup: how many steps it takes to the highest rate, from 0 to total; 0 gives the same factors as 1.
        total: how many steps there are, at least 1.

    Raises:
        ValueError: step is below 0, total below 1, or warmup not from 0 to total.
    """
    # TODO: the smaller one of two straight lines, and 0 from step total on
    raise NotImplementedError("Step 5: warmup_linear")


def fine_tune(
    model: nn.Module,
    batches: Sequence[tuple[Tensor, Tensor]],
    dtype: torch.dtype,
    lr: float,
    warmup: int,
    weight_decay: float = 0.01,
    max_grad_norm: float = 1.0,
    frozen: Sequence[str] = (),
) -> list[float]:
    """Fine-tunes a classifier with AdamW, once through `batches`; gives the loss of each, as a Python number.

    AdamW has the groups of `parameter_groups` and PyTorch's defaults. Its learning rate is `lr` times `warmup_linear`,
    with as many steps in total as there are batches.

    Each batch is a step, in order. All modules are in train mode, and gradients that were there before have no part.
    The model runs under autocast in `dtype` (float32 without, also in a region of the caller's) and keeps its
    parameters in float32; the loss is cross entropy in float32, also of half logits. The true gradients of all trained
    parameters together are clipped to the 2-norm `max_grad_norm`; parameters that take no part in the loss have no
    gradient, and stay as they are. A step whose gradients have an inf or nan is skipped, in every dtype: weights and
    learning rate stay as they are, and its loss is in the result. float16 trains with a loss scale: a GradScaler as
    PyTorch makes it, whose scale begins at 65536. Other dtypes have none.

    Args:
        model: called as `model(inputs)`, gives logits (n, classes); float32 parameters.
        batches: inputs and labels (n,) each, on the device of the model.
        dtype: torch.float32, torch.bfloat16 or torch.float16.
        lr: the highest learning rate.
        warmup: in steps, from 0 to the number of batches.
        weight_decay: of the parameters that decay.
        max_grad_norm: the limit.
        frozen: names of modules, as in `model.named_modules()`. Their parameters, and those of all modules in them, are
            not trained, and have requires_grad False from then on. Parameters that were frozen before stay frozen.

    Raises:
        ValueError: there are no batches, the model has no module of a name in `frozen`, warmup is below 0 or above the
            number of batches, or no parameter is left to train; nothing has changed then.

    Source: https://arxiv.org/abs/1810.04805, appendix A.3
    """
    # TODO: check, freeze, AdamW over the groups; a step for each batch, and a scheduler that moves with the steps taken
    raise NotImplementedError("Step 5: fine_tune")


if __name__ == "__main__":
    from labkit.labs.capstones.commands import main

    main(sys.modules[__name__])
