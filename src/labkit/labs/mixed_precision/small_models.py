"""Small models of the kinds of `real_models`, whose steps a CPU makes in tenths of a second."""

from functools import partial

from torch import nn

from labkit.labs.mixed_precision.real_models import GPT2, Bert, ResNet
from labkit.labs.mixed_precision.steps import TokenCrossEntropy, Workload, images, texts, tokens

# Each with the name of its optimizer, as in at_scale.CASES.
CASES = (
    (
        Workload(
            "small ResNet",
            partial(ResNet, width=16, depths=(1, 1, 1), classes=10),
            nn.CrossEntropyLoss(),
            images(64, 10),
            8,
            "images of 64 x 64",
        ),
        "SGD",
    ),
    (
        Workload(
            "small BERT",
            partial(Bert, vocabulary=1024, length=64, dim=256, depth=2, heads=4),
            nn.CrossEntropyLoss(),
            texts(1024, 64, 2),
            8,
            "texts of 64 tokens",
        ),
        "AdamW",
    ),
    (
        Workload(
            "small GPT-2",
            partial(GPT2, vocabulary=1024, length=128, dim=256, depth=2, heads=4),
            TokenCrossEntropy(),
            tokens(1024, 128),
            4,
            "texts of 128 tokens",
        ),
        "AdamW",
    ),
)
