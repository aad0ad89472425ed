"""Saves a training to one file and reads it back; a damaged or foreign file is refused in one line."""

import io
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any, Protocol

import torch

from labkit.course.errors import LabError
from labkit.course.files import check_writable, write_whole
from labkit.labs.mixed_precision.training import Settings, Training

FORMAT = "labkit training checkpoint"
VERSION = 2
KEYS = {"format", "version", "settings", "trainer", "optimizer", "epoch", "batch", "history", "random", "threads"}

State = dict[str, Any]  # Training.state_dict(), with a format and its version


class Store(Protocol):
    """Where a training's state is kept; every problem with it is a LabError that names `path`."""

    path: Path

    def __init__(self, path: Path) -> None: ...

    def check(self) -> None:
        """Raises LabError, naming --checkpoint, unless a state can be saved: to nothing, or in the place of another."""

    def goes_on(self) -> bool:
        """Whether a training that saves here goes on from what is here, even if nobody asks for it."""

    def save(self, training: Training) -> None:
        """Writes the training's state, whole or not at all."""

    def load(self) -> State:
        """What `save` wrote last; tensors on the CPU, or a description in the place of each."""

    def restore(self, training: Training, state: State) -> None:
        """Puts what `load` gave into `training`."""


class TrainingFile:
    """The `Store` of one process: a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(self) -> None:
        check_writable(self.path, "--checkpoint")
        if self.path.exists():
            self.load()

    def goes_on(self) -> bool:
        return False

    def save(self, training: Training) -> None:
        write_whole(self.path, pack(training.state_dict(), self.path))

    def load(self) -> State:
        if self.path.is_dir():
            raise LabError(
                f"{self.path}: is a folder, as it is saved under torchrun; go on with torchrun too, one rank will do"
            )
        return unpack(self.path)

    def restore(self, training: Training, state: State) -> None:
        training.load_state_dict(state)


def pack(state: State, path: Path, format: str = FORMAT) -> bytes:
    """`state` as the bytes of a file. Raises LabError, naming `path`, if they could not be loaded safely."""
    buffer = io.BytesIO()
    torch.save({"format": format, "version": VERSION, **state}, buffer)
    try:
        torch.load(io.BytesIO(buffer.getvalue()), weights_only=True)
    except Exception:
        raise LabError(
            f"{path}: not written: the trainer's state_dict() holds more than tensors, numbers, strings, "
            "lists and dicts, which could not be loaded safely"
        ) from None
    return buffer.getvalue()


def unpack(path: Path, format: str = FORMAT) -> State:
    """The state in the file at `path`; tensors on the CPU.

    Raises LabError if the file is missing, damaged (each part's CRC-32 is compared) or something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        state = None if damaged else torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise LabError(f"{path}: cannot be read ({error.strerror or error})") from None
    except Exception:  # torch.load has no error of its own: pickle, zipfile and RuntimeError all happen
        state = None
    if not isinstance(state, dict) or state.get("format") != format:
        raise LabError(f"{path}: is damaged, or no checkpoint of this course; give a file that --checkpoint wrote")
    if state.get("version") != VERSION:
        raise LabError(f"{path}: has format version {state.get('version')}, this labkit reads {VERSION}; start again")
    if set(state) != KEYS or set(state["settings"]) != {field.name for field in fields(Settings)}:
        raise LabError(f"{path}: is a checkpoint with missing or unknown parts; start the training again")
    return state


def settings_of(path: Path, state: State, given: dict[str, Any]) -> Settings:
    """The settings to go on with: the checkpoint's; of those `given` on the command line only `epochs` may differ.

    Raises LabError, naming the option, if another one does, or if the checkpoint is beyond `epochs`.
    """
    saved = state["settings"]
    for name, value in given.items():
        if name != "epochs" and value != saved[name]:
            option = f"--{name.replace('_', '-')}"
            raise LabError(
                f"{option} {value}: {path} was trained with {saved[name]}; leave {option} out, or start again"
            )
    settings = Settings(**{**saved, **given})
    if settings.epochs < state["epoch"] + (state["batch"] > 0):
        raise LabError(f"--epochs {settings.epochs}: {path} is beyond that, in epoch {state['epoch'] + 1}")
    return settings
