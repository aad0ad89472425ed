"""Checkpoints: a training that was stopped anywhere ends as if it had not been, and no file is ever half."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from commandline import SOLUTION, refused, run, solution

from labkit.course.errors import LabError
from labkit.course.files import write_whole
from labkit.labs.mixed_precision.checkpoint import TrainingFile, settings_of
from labkit.labs.mixed_precision.training import Settings, Training

SETTINGS = ("--dtype", "fp16", "--init-scale", 2.0**20, "--lr", 1e-3, "--batch-size", 300)


def same(one: object, other: object) -> bool:
    """Whether two states hold the same bits."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A checkpoint of 2 epochs."""
    path = tmp_path / "saved.pt"
    assert run(solution(), *SETTINGS, "--epochs", 2, "--checkpoint", path).code == 0
    return path


def test_a_killed_and_resumed_training_ends_bit_for_bit_as_an_undisturbed_one(tmp_path: Path) -> None:
    straight, killed = tmp_path / "straight.pt", tmp_path / "killed.pt"
    more = ("--epochs", 12, "--checkpoint-every", 1, "--checkpoint")
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    command = [sys.executable, SOLUTION, *map(str, (*SETTINGS, *more)), killed]
    process = subprocess.Popen(command, env=os.environ | threads, stdout=subprocess.DEVNULL)
    while not killed.exists():
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(random.uniform(0.0, 0.2))
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL

    steps = len(TrainingFile(killed).load()["history"])
    assert 0 < steps < 60
    resumed = run(solution(), "--resume", killed, "--checkpoint", killed)
    assert resumed.out.startswith(f"resumed from {killed} after {steps} steps")
    undisturbed = run(solution(), *SETTINGS, "--epochs", 12, "--checkpoint", straight)
    assert same(TrainingFile(killed).load(), TrainingFile(straight).load())
    assert resumed.out.splitlines()[-10:-1] == undisturbed.out.splitlines()[-10:-1]  # all but where it is saved


@pytest.mark.parametrize("stop", [1, 5, 7])
def test_every_batch_is_a_place_to_go_on_from(stop: int, tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    straight = Training(solution(), Settings(epochs=2, init_scale=2.0**24))
    for step in range(1, 11):
        straight.step()
        if step == stop:
            TrainingFile(path).save(straight)
    resumed = Training(solution(), straight.settings)
    resumed.load_state_dict(TrainingFile(path).load())
    torch.manual_seed(99)  # the order of the samples does not hang on it
    while len(resumed.history) < 10:
        resumed.step()
    for part in ("trainer", "optimizer", "epoch", "batch", "history"):
        assert same(resumed.state_dict()[part], straight.state_dict()[part]), part


def test_random_state_and_threads_come_back(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    training = Training(solution(), Settings())
    torch.rand(3), random.random()
    TrainingFile(path).save(training)
    drawn = torch.rand(4), random.random()
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        random.seed(5)
        training.load_state_dict(TrainingFile(path).load())
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(threads)
    assert same((torch.rand(4), random.random()), drawn)


def test_more_epochs_may_be_asked_for_on_resuming(saved: Path, tmp_path: Path) -> None:
    other = tmp_path / "straight.pt"
    longer = run(solution(), "--resume", saved, "--epochs", 3, "--checkpoint", saved)
    run(solution(), *SETTINGS, "--epochs", 3, "--checkpoint", other)
    assert re.findall(r"^epoch +(\d)/3", longer.out, re.M) == ["3"]
    assert same(TrainingFile(saved).load(), TrainingFile(other).load())


def test_a_finished_training_is_copied_where_asked(saved: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.pt"
    finished = run(solution(), "--resume", saved, "--checkpoint", copy)
    assert f"saved: {copy}" in finished.out
    assert run(solution(), "--resume", copy).code == 0


def test_a_finished_training_resumes_to_its_banner(saved: Path) -> None:
    finished = run(solution(), "--resume", saved)
    assert finished.code == 0 and "epoch" not in finished.out.split("steps")[1].split("=")[0]
    assert "Precision: float16" in finished.out


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ("--dtype bf16", "--dtype bf16: {path} was trained with fp16; leave --dtype out"),
        ("--model cnn", "--model cnn: {path} was trained with mlp"),
        ("--batch-size 7", "--batch-size 7: {path} was trained with 300"),
        ("--max-grad-norm 1", "--max-grad-norm 1.0: {path} was trained with None"),
        ("--epochs 1", "--epochs 1: {path} is beyond that, in epoch 3"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(args: str, says: str, saved: Path) -> None:
    before = saved.read_bytes()
    assert says.format(path=saved) in refused(run(solution(), *args.split(), "--resume", saved, "--checkpoint", saved))
    assert saved.read_bytes() == before


def test_a_damaged_or_foreign_file_is_refused_and_left_alone(saved: Path, tmp_path: Path) -> None:
    whole = saved.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    foreign = tmp_path / "foreign.pt"
    torch.save({"weights": torch.zeros(3)}, foreign)
    wrong = {
        "truncated": whole[: len(whole) // 2],
        "one bit": bytes(flipped),
        "text": b"my notes",
        "nothing": b"",
        "foreign": foreign.read_bytes(),
    }
    for name, data in wrong.items():
        path = tmp_path / name
        path.write_bytes(data)
        for args in (("--resume", path), ("--resume", path, "--checkpoint", path), ("--checkpoint", path)):
            assert "is damaged, or no checkpoint of this course" in refused(run(solution(), *args)), (name, args)
        assert path.read_bytes() == data


def test_a_checkpoint_of_another_version_is_refused(saved: Path) -> None:
    state = TrainingFile(saved).load()
    torch.save({**state, "version": 99}, saved)
    with pytest.raises(LabError, match="format version 99, this labkit reads 2"):
        TrainingFile(saved).load()
    torch.save({**state, "settings": {"dtype": "fp16"}}, saved)
    with pytest.raises(LabError, match="missing or unknown parts"):
        TrainingFile(saved).load()


def test_a_state_that_could_not_be_loaded_safely_is_not_written(tmp_path: Path) -> None:
    training = Training(solution(), Settings())
    training.trainer.state_dict = lambda: {"scaler": training.trainer.scaler}
    with pytest.raises(LabError, match="could not be loaded safely"):
        TrainingFile(tmp_path / "run.pt").save(training)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.pt"
    write_whole(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LabError, match="No space left on device"):
        write_whole(path, b"new")
    assert [file.name for file in tmp_path.iterdir()] == ["run.pt"] and path.read_bytes() == b"old"


def test_settings_survive_the_file(saved: Path) -> None:
    state = TrainingFile(saved).load()
    settings = settings_of(saved, state, {})
    assert asdict(settings) == state["settings"]
    assert settings == Settings(epochs=2, init_scale=2.0**20, lr=1e-3, batch_size=300)
