"""The command line of a lab file: training, and a clear line for everything that can be wrong."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from commandline import SOLUTION, refused, run, solution
from torch.utils.data import TensorDataset

import labkit.labs.mixed_precision.training
from labkit.course.loading import load_implementation

QUICK = ("--epochs", 2)


@pytest.fixture
def lab_file(tmp_path: Path):
    """Makes a lab file out of the solution and a piece of code behind it; gives the loaded module."""

    def make(code: str):
        path = tmp_path / "mixed_precision.py"
        path.write_text(f"from labkit.toolbox.models import SimpleModel\n{code}\n")
        return load_implementation(path)

    return make


@pytest.mark.parametrize(
    ("dtype", "name", "scaler"),
    [("fp32", "float32", "False"), ("fp16", "float16", "True"), ("bf16", "bfloat16", "False")],
)
def test_a_training_prints_its_epochs_and_the_banner(dtype: str, name: str, scaler: str) -> None:
    finished = run(solution(), "--dtype", dtype, *QUICK)
    assert finished.code == 0 and finished.err == ""
    epochs = re.findall(
        r"^epoch +(\d)/2  loss (\S+)  test accuracy (\S+)  loss scale (\S+)  skipped 0$", finished.out, re.M
    )
    assert [epoch for epoch, *_ in epochs] == ["1", "2"]
    banner = finished.out.splitlines()[-9:]
    assert banner[0] == banner[-1] == "=" * 60
    assert banner[1] == "Lab 04 Milestone: Mixed Precision Training Complete!"
    assert banner[2:4] == [f"Precision: {name}", f"Using GradScaler: {scaler}"]
    assert float(banner[4].removeprefix("Initial Loss: ")) > 2 > float(banner[5].removeprefix("Final Loss:   "))
    assert banner[5].removeprefix("Final Loss:   ") == epochs[-1][1]
    assert banner[6] == "Skipped Steps: 0"
    reduction = float(banner[7].removeprefix("Memory Reduction: ").removesuffix("%"))
    assert reduction == 0 if dtype == "fp32" else reduction > 10


def test_a_high_initial_scale_skips_steps_and_training_survives() -> None:
    finished = run(solution(), *QUICK, "--init-scale", 2.0**24)
    skipped = int(re.search(r"^Skipped Steps: (\d+) \(due to gradient overflow\)$", finished.out, re.M)[1])
    assert skipped >= 1
    assert f"loss scale {2.0 ** (24 - skipped):g}" in finished.out.splitlines()[1]
    assert "nan" not in finished.out


@pytest.mark.parametrize(
    ("dtype", "scaler"),
    [
        ("fp32", "fp32 has no scaler"),
        ("bf16", "bf16 has no scaler"),
        ("fp16", "the loss scale fell to 2048, which did not help"),
    ],
)
def test_a_training_that_diverges_is_no_milestone(dtype: str, scaler: str) -> None:
    finished = run(solution(), "--dtype", dtype, "--epochs", 1, "--lr", 1e30)
    assert finished.code == 1 and "Milestone" not in finished.out and "overflow" not in finished.out
    assert finished.err == (
        "the training diverged: from step 2 on its loss is inf or nan; 5 of 6 steps were skipped, as their gradients "
        f"were inf or nan ({scaler}); lower --lr, now 1e+30\n"
    )


def test_a_training_without_a_step_says_so() -> None:
    finished = run(solution(), "--epochs", 1, "--init-scale", 1e38)
    assert finished.code == 0
    line = "Every step was skipped: the loss scale, 1.5625e+36 now, has yet to fall; train longer"
    assert finished.out.splitlines()[-1] == line


def test_skipped_steps_do_not_lower_what_memory_is_measured() -> None:
    reductions = []
    for rate in (1.0, 2e-3):
        out = run(solution(), "--epochs", 1, "--lr", rate).out
        reductions.append(re.search(r"^Memory Reduction: .*$", out, re.M)[0])
        assert ("The loss rose: this training learned nothing" in out) == (rate == 1.0)
    assert reductions[0] == reductions[1]


@pytest.mark.parametrize("dtype", ["fp16", "fp32"])
def test_autocast_of_the_float32_baseline_is_silent(dtype: str, lab_file, recwarn: pytest.WarningsRecorder) -> None:
    code = (
        "class MixedPrecisionTrainer(MixedPrecisionTrainer):\n"
        "    def train_step(self, *args):\n"
        "        with torch.autocast('cpu', dtype=self._dtype):\n"
        "            return super().train_step(*args)\n"
        "    def __init__(self, model, dtype):\n"
        "        super().__init__(model, dtype)\n"
        "        self._dtype = dtype\n"
    )
    lab = lab_file(f"{SOLUTION.read_text(encoding='utf-8').partition('if __name__')[0]}{code}")
    assert run(lab, "--dtype", dtype, "--epochs", 1).code == 0
    assert [str(one.message) for one in recwarn] == []


def test_the_options_reach_the_training() -> None:
    plain, seed, rate, clipped, batch = (
        run(solution(), "--dtype", "fp32", "--epochs", 1, *more).out
        for more in ((), ("--seed", 1), ("--lr", 0.1), ("--max-grad-norm", 0.0), ("--batch-size", 5000))
    )
    assert len({plain, seed, rate, clipped, batch}) == 5
    assert run(solution(), "--dtype", "fp32", "--epochs", 1).out == plain
    assert "cnn" not in plain and run(solution(), "--dtype", "fp32", "--epochs", 1, "--model", "cnn").out != plain


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    for name, magic, scale in (("run.png", b"\x89PNG", 2.0**24), ("run.svg", b"<?xml", 2.0)):  # with skips, without
        finished = run(solution(), "--epochs", 1, "--init-scale", scale, "--plot", tmp_path / name)
        assert (finished.code, finished.err) == (0, "")
        assert (tmp_path / name).read_bytes().startswith(magic)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.png", "run.svg"]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ("--dtype fp8", "'fp8' is not one of 'fp32', 'fp16', 'bf16'"),
        ("--batch-size 0", "'--batch-size': 0 is not in the range x>=1"),
        ("--epochs -1", "'--epochs': -1 is not in the range x>=1"),
        ("--lr nan", "'--lr': nan is not a number above 0"),
        ("--lr 0", "'--lr': 0 is not a number above 0"),
        ("--init-scale inf", "'--init-scale': inf is not a number above 0 and at most 2**127"),
        ("--max-grad-norm -1", "'--max-grad-norm': -1 is not a number that is finite and at least 0"),
        ("--dtype bf16 --init-scale 8", "--init-scale goes with --dtype fp16"),
        ("--checkpoint-every 3", "--checkpoint-every needs --checkpoint PATH"),
        ("--compare --audit", "give one of them"),
        ("--compare --dtype fp16", "--compare takes no --dtype"),
        ("--audit --checkpoint x", "--audit takes no --checkpoint"),
        ("--nonsense", "No such option"),
        ("--plot /nowhere/run.png", "there is no folder /nowhere"),
        ("--plot run.gif", "must end in .png, .pdf, .svg"),
        ("--plot pyproject.toml/run.png", "there is no folder"),
        ("--checkpoint /nowhere/run.pt", "there is no folder /nowhere"),
        ("--resume /nowhere/run.pt", "cannot be read (No such file or directory)"),
    ],
)
def test_a_wrong_option_is_one_line_before_any_training(args: str, says: str) -> None:
    assert says in refused(run(solution(), *args.split()))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize("more", [[], ["--compare"], ["--audit"]])
def test_cuda_without_a_gpu_is_one_line_with_a_way_out(more: list[str]) -> None:
    line = refused(run(solution(), "--device", "cuda", *more))
    assert "no CUDA GPU" in line and "leave the option out" in line


def test_an_empty_data_set_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = TensorDataset(torch.zeros(0, 64), torch.zeros(0, dtype=torch.int64))
    monkeypatch.setattr(labkit.labs.mixed_precision.training, "digits_split", lambda: (empty, empty))
    assert "the training data is empty" in refused(run(solution()))


def test_an_unsolved_step_names_itself_and_what_to_read(lab_file) -> None:
    lab = lab_file(
        "class MixedPrecisionTrainer:\n"
        "    def __init__(self, model, dtype=None, use_scaler=None):\n"
        "        raise NotImplementedError('Step 3: MixedPrecisionTrainer.__init__')"
    )
    for args in ((), ("--compare",), ("--audit",), ("--traceback",)):
        finished = run(lab, *args)
        line = finished.err
        assert finished.code == 2 and line.count("\n") == 1
        assert line.startswith("Step 3 is still to be solved: write MixedPrecisionTrainer.__init__ in ")
        assert "read docs/05_mixed_precision.md#validation" in line


def test_a_not_implemented_error_of_another_kind_is_no_unsolved_step(lab_file) -> None:
    lab = lab_file("def MixedPrecisionTrainer(*args, **kwargs):\n    raise NotImplementedError('later')")
    finished = run(lab)
    assert finished.code == 1 and "NotImplementedError: later" in refused(finished)


def test_an_error_in_the_lab_file_is_one_line_with_its_place(lab_file) -> None:
    lab = lab_file("def MixedPrecisionTrainer(model, dtype):\n    return 1 + 'a'")
    finished = run(lab)
    assert finished.code == 1
    assert "mixed_precision.py, line 3: return 1 + 'a': TypeError: unsupported operand" in refused(finished)
    with pytest.raises(TypeError):
        run(lab, "--traceback")


@pytest.mark.parametrize(
    ("scaler", "returned", "says"),
    [
        (
            "torch.amp.GradScaler('cpu')",
            "None",
            "train_step returned None, not (loss, step_skipped), a float and a bool",
        ),
        ("torch.amp.GradScaler('cpu')", "False, 1.5", "train_step returned (False, 1.5), not (loss, step_skipped)"),
        ("None", "1.5, False", "after the lab file had returned: AttributeError"),
    ],
)
def test_a_trainer_that_returns_nonsense_is_one_line(lab_file, scaler: str, returned: str, says: str) -> None:
    lab = lab_file(
        "class MixedPrecisionTrainer:\n"
        "    def __init__(self, model, dtype):\n"
        "        import torch\n"
        f"        self.scaler = {scaler}\n"
        "    def train_step(self, *args):\n"
        f"        return {returned}"
    )
    assert says in refused(run(lab))


def test_help_fits_and_exits_well() -> None:
    finished = run(solution(), "--help")
    assert finished.code == 0
    assert "--max-grad-norm" in finished.out and max(map(len, finished.out.splitlines())) <= 100


def test_the_file_runs_uninstalled_and_leaves_quietly_on_ctrl_c(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.Popen(
        [sys.executable, "-u", SOLUTION, "--epochs", "100000"],
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # background jobs ignore it
    )  # fmt: skip
    assert process.stdout.readline().startswith("epoch   1/100000  loss")
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.strip() == ""
