"""Saves a training to one file and reads it back; a damaged or foreign file is refused in one line."""

import io
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from labkit.course.errors import LabError
from labkit.course.files import check_writable, write_whole
from labkit.labs.mixed_precision.training import Settings, Training

FORMAT = "labkit training checkpoint"
VERSION = 2
KEYS = {"format", "version", "settings", "trainer", "optimizer", "epoch", "batch", "history", "random", "threads"}


def check(path: Path) -> None:
    """Raises LabError, naming --checkpoint, unless a checkpoint can be written to `path`: nothing, or one of ours."""
    check_writable(path, "--checkpoint")
    if path.exists():
        load(path)


def save(training: Training, path: Path) -> None:
    """Writes the training's state to `path`, whole or not at all.

    Raises LabError if it cannot be written, or if the trainer's `state_dict` holds what cannot be loaded safely.
    """
    write_whole(path, pack(training.state_dict(), path))


def pack(state: dict[str, Any], path: Path, format: str = FORMAT) -> bytes:
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


def load(path: Path, format: str = FORMAT) -> dict[str, Any]:
    """What `save` wrote to `path`; tensors on the CPU.

    Raises LabError if the file is missing, damaged (each part's CRC-32 is compared) or something else.
    """
    if path.is_dir():
        raise LabError(f"{path}: is a folder, as it is saved under torchrun; go on with torchrun too, one rank will do")
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
        raise LabError(f"{path}: has format version {state.get('version')}, this labkit reads {VERSION}; train anew")
    if set(state) != KEYS or set(state["settings"]) != {field.name for field in fields(Settings)}:
        raise LabError(f"{path}: is a checkpoint with missing or unknown parts; train anew")
    return state


def restore(training: Training, path: Path, state: dict[str, Any]) -> None:
    """Puts what `load` read from `path` into `training`."""
    training.load_state_dict(state)


def settings_of(path: Path, state: dict[str, Any], given: dict[str, Any]) -> Settings:
    """The settings to go on with: the checkpoint's; of those `given` on the command line only `epochs` may differ.

    Raises LabError, naming the option, if another one does, or if the checkpoint is beyond `epochs`.
    """
    saved = state["settings"]
    for name, value in given.items():
        if name != "epochs" and value != saved[name]:
            option = f"--{name.replace('_', '-')}"
            raise LabError(
                f"{option} {value}: {path} was trained with {saved[name]}; leave {option} out, or train anew"
            )
    settings = Settings(**{**saved, **given})
    if settings.epochs < state["epoch"] + (state["batch"] > 0):
        raise LabError(f"--epochs {settings.epochs}: {path} is beyond that, in epoch {state['epoch'] + 1}")
    return settings
