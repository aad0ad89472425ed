"""Saves a training of many ranks to a folder and reads it back on any number of ranks.

FOLDER/step-00000012/   the newest one counts; it appears by a rename, so it is whole
    __0_0.distcp ...    the tensors, each rank's own part (torch.distributed.checkpoint)
    training.pt         everything else
    SHA256SUMS          of both, as the tool sha256sum writes and reads it
"""

import hashlib
import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException

from labkit.course.errors import LabError
from labkit.course.files import check_writable, sync_folder, write_whole
from labkit.labs.mixed_precision import checkpoint
from labkit.labs.mixed_precision.training import Training

FORMAT = "labkit sharded training checkpoint"
_STEP, _PARTIAL, _OLD = "step-", ".partial-", ".old-"


def check(folder: Path) -> None:
    """Raises LabError, naming --checkpoint, unless checkpoints can be written to `folder`, empty or one of ours."""
    if folder.exists() and not folder.is_dir():
        raise LabError(f"--checkpoint {folder}: is a file; under torchrun give a folder, each rank saves its own part")
    if folder.exists() and any(folder.iterdir()) and not _ours(folder):
        raise LabError(f"--checkpoint {folder}: holds other files; give an empty folder or a new one")
    check_writable(folder / "file" if folder.exists() else folder, "--checkpoint")


def newest(folder: Path) -> Path | None:
    """The folder of the last step that was saved below `folder`, None if there is none."""
    return max(folder.glob(f"{_STEP}*"), default=None)


def save(training: Training, folder: Path) -> None:
    """Writes the training's state below `folder`, whole or not at all. Every rank calls it, on storage that all share.

    Raises LabError if it cannot be written.
    """
    steps = len(training.history)
    partial, whole = folder / f"{_PARTIAL}{steps}", folder / f"{_STEP}{steps:08}"
    first = dist.get_rank() == 0
    tensors: dict[str, Tensor] = {}
    state = training.state_dict()
    for part in ("trainer", "optimizer"):
        state[part] = _set_apart(state[part], part, tensors)
    try:
        if first:
            _clear(folder)
            partial.mkdir(parents=True)
        dist.barrier()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dcp.save(tensors, storage_writer=dcp.FileSystemWriter(partial, sync_files=True))
        if first:
            write_whole(partial / "training.pt", checkpoint.pack(state, partial, FORMAT))
            write_whole(partial / "SHA256SUMS", _sums(partial).encode())
            partial.rename(whole)
            sync_folder(folder)
            _clear(folder, but=whole)
        dist.barrier()
    except OSError as error:
        raise LabError(f"{whole}: cannot be written ({error.strerror}); what was saved before is untouched") from None
    except CheckpointException as error:
        raise _first_failure(error, f"{whole}: cannot be written") from error


def load(folder: Path) -> dict[str, Any]:
    """What `save` wrote last, with a description in the place of each tensor; `restore` fetches those.

    Raises LabError if there is nothing, or if a file of it is damaged (SHA-256) or missing.
    """
    if folder.is_file():
        raise LabError(f"{folder}: is a file, saved by one process; go on without torchrun")
    found = newest(folder)
    if found is None:
        raise LabError(f"{folder}: holds no checkpoint; give the folder that --checkpoint wrote under torchrun")
    try:
        whole = (found / "SHA256SUMS").read_text(encoding="ascii") == _sums(found)
    except (OSError, UnicodeDecodeError):
        whole = False
    if not whole:
        raise LabError(f"{found}: is damaged; `sha256sum -c SHA256SUMS` in it says which file")
    return checkpoint.load(found / "training.pt", FORMAT)


def restore(training: Training, folder: Path, state: dict[str, Any]) -> None:
    """Puts what `load` gave and its tensors into `training`; each rank reads what it holds itself.

    Raises LabError if the ranks do not see the same checkpoint, or if it is one of another model.
    """
    found = newest(folder)
    seen: list[str | None] = [None] * dist.get_world_size()
    dist.all_gather_object(seen, str(found and found.name))
    if len(set(seen)) > 1:
        raise LabError(f"{folder}: is another folder on another machine; put it on storage that all ranks share")
    room: dict[str, Tensor] = {}
    _set_apart(training.trainer.state_dict(), "trainer", room)
    if set(_described(state["trainer"])) != set(room):
        raise LabError(f"{folder}: is a checkpoint of another model")
    parameters = [parameter for group in training.optimizer.param_groups for parameter in group["params"]]
    for number, entries in state["optimizer"]["state"].items():
        for entry in entries.values():
            if _is_description(entry):
                room[entry["tensor"]] = _room(entry, parameters[number])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dcp.load(room, storage_reader=dcp.FileSystemReader(found))
    except CheckpointException as error:
        raise _first_failure(error, f"{found}: cannot be read") from error
    training.load_state_dict(state | {part: _put_back(state[part], room) for part in ("trainer", "optimizer")})


def _set_apart(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """`value` with a description in the place of each tensor in it; the tensors go to `tensors` by their paths."""
    if isinstance(value, Tensor):
        tensors[path] = value
        return {"tensor": path, "shape": list(value.shape), "dtype": value.dtype}
    if isinstance(value, dict):
        return {key: _set_apart(item, f"{path}.{key}", tensors) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_set_apart(item, f"{path}.{number}", tensors) for number, item in enumerate(value))
    return value


def _put_back(value: Any, tensors: dict[str, Tensor]) -> Any:
    """What `_set_apart` was given, with these tensors."""
    if _is_description(value):
        return tensors[value["tensor"]]
    if isinstance(value, dict):
        return {key: _put_back(item, tensors) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_put_back(item, tensors) for item in value)
    return value


def _described(value: Any) -> list[str]:
    if _is_description(value):
        return [value["tensor"]]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [path for item in items for path in _described(item)]


def _is_description(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"tensor", "shape", "dtype"}


def _room(entry: dict[str, Any], parameter: Tensor) -> Tensor:
    """Zeros for an optimizer's tensor: spread over the ranks like its parameter if it has that one's shape."""
    if entry["shape"] == list(parameter.shape):
        return torch.zeros_like(parameter, dtype=entry["dtype"], requires_grad=False)
    return torch.zeros(entry["shape"], dtype=entry["dtype"])


def _sums(folder: Path) -> str:
    """SHA-256 and name of every file in `folder` but the sums' own."""
    names = sorted(name for name in os.listdir(folder) if name != "SHA256SUMS")
    return "".join(f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names)


def _ours(folder: Path) -> bool:
    return all(path.is_dir() and path.name.startswith((_STEP, _PARTIAL, _OLD)) for path in folder.iterdir())


def _clear(folder: Path, but: Path | None = None) -> None:
    """Removes what was left half below `folder`, and with `but` every whole checkpoint except that one."""
    for path in folder.glob(f"{_STEP}*") if but else ():
        if path != but:
            path.rename(folder / f"{_OLD}{path.name}")  # nobody finds it half removed under its name
    for path in [*folder.glob(f"{_PARTIAL}*"), *folder.glob(f"{_OLD}*")]:
        shutil.rmtree(path)


def _first_failure(error: CheckpointException, what: str) -> Exception:
    """The error of the first rank that failed in a checkpoint, as a LabError if a file was the reason."""
    cause = min(error.failures.items())[1][0]
    return LabError(f"{what} ({cause.strerror})") if isinstance(cause, OSError) else RuntimeError(f"{what}: {cause}")
