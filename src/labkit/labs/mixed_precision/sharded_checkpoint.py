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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.utils._pytree import tree_leaves, tree_map, tree_map_with_path

from labkit.course.errors import LabError
from labkit.course.files import check_writable, sync_folder, write_whole
from labkit.labs.mixed_precision.checkpoint import State, pack, unpack
from labkit.labs.mixed_precision.training import Training

FORMAT = "labkit sharded training checkpoint"
PARTS = ("trainer", "optimizer")  # of a training's state: those that hold tensors which are spread over the ranks
_STEP, _PARTIAL, _OLD = "step-", ".partial-", ".old-"


class TrainingFolder:
    """The `Store` of many ranks: a folder on storage that all share. Every rank calls every method."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def newest(self) -> Path | None:
        """The folder of the last step that was saved, None if there is none."""
        return max(self.path.glob(f"{_STEP}*"), default=None)

    def check(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise LabError(
                f"--checkpoint {self.path}: is a file; under torchrun give a folder, each rank saves its own part"
            )
        if self.path.exists() and not all(
            path.is_dir() and path.name.startswith((_STEP, _PARTIAL, _OLD)) for path in self.path.iterdir()
        ):
            raise LabError(f"--checkpoint {self.path}: holds other files; give an empty folder or a new one")
        check_writable(self.path / "file" if self.path.exists() else self.path, "--checkpoint")

    def goes_on(self) -> bool:
        """After a rank has failed torchrun starts all of them again with the same command."""
        return self.newest() is not None

    def save(self, training: Training) -> None:
        steps = len(training.history)
        partial, whole = self.path / f"{_PARTIAL}{steps}", self.path / f"{_STEP}{steps:08}"
        first = dist.get_rank() == 0
        tensors: dict[str, Tensor] = {}
        state = training.state_dict()
        state |= {part: _set_apart(state[part], part, tensors) for part in PARTS}
        try:
            if first:
                self._clear()
                partial.mkdir(parents=True)
            dist.barrier()
            with _one_error(f"{whole}: cannot be written"):
                dcp.save(tensors, storage_writer=dcp.FileSystemWriter(partial, sync_files=True))
            if first:
                write_whole(partial / "training.pt", pack(state, partial, FORMAT))
                write_whole(partial / "SHA256SUMS", _sums(partial).encode())
                partial.rename(whole)
                sync_folder(self.path)
                self._clear(but=whole)
            dist.barrier()
        except OSError as error:
            reason = f"cannot be written ({error.strerror}); what was saved before is untouched"
            raise LabError(f"{whole}: {reason}") from None

    def load(self) -> State:
        if self.path.is_file():
            raise LabError(f"{self.path}: is a file, saved by one process; go on without torchrun")
        found = self.newest()
        if found is None:
            raise LabError(f"{self.path}: holds no checkpoint; give the folder that --checkpoint wrote under torchrun")
        try:
            whole = (found / "SHA256SUMS").read_text(encoding="ascii") == _sums(found)
        except (OSError, UnicodeDecodeError):
            whole = False
        if not whole:
            raise LabError(f"{found}: is damaged; `sha256sum -c SHA256SUMS` in it says which file")
        return unpack(found / "training.pt", FORMAT)

    def restore(self, training: Training, state: State) -> None:
        """Puts `state` and its tensors into `training`; each rank reads what it holds itself.

        Raises LabError if the ranks do not see the same checkpoint, or if it is one of another model.
        """
        found = self.newest()
        seen: list[str | None] = [None] * dist.get_world_size()
        dist.all_gather_object(seen, str(found and found.name))
        if len(set(seen)) > 1:
            raise LabError(f"{self.path}: is another folder on another machine; put it on storage that all ranks share")
        room: dict[str, Tensor] = {}
        _set_apart(training.trainer.state_dict(), "trainer", room)
        leaves = tree_leaves(state["trainer"], is_leaf=_is_description)
        if {leaf["tensor"] for leaf in leaves if _is_description(leaf)} != set(room):
            raise LabError(f"{self.path}: is a checkpoint of another model")
        parameters = [parameter for group in training.optimizer.param_groups for parameter in group["params"]]
        for number, entries in state["optimizer"]["state"].items():
            for entry in filter(_is_description, entries.values()):
                room[entry["tensor"]] = _room(entry, parameters[number])
        with _one_error(f"{found}: cannot be read"):
            dcp.load(room, storage_reader=dcp.FileSystemReader(str(found)))
        training.load_state_dict(state | {part: _put_back(state[part], room) for part in PARTS})

    def _clear(self, but: Path | None = None) -> None:
        """Removes what was left half, and with `but` every whole checkpoint except that one."""
        for path in self.path.glob(f"{_STEP}*") if but else ():
            if path != but:
                path.rename(self.path / f"{_OLD}{path.name}")  # nobody finds it half removed under its name
        for path in [*self.path.glob(f"{_PARTIAL}*"), *self.path.glob(f"{_OLD}*")]:
            shutil.rmtree(path)


def _set_apart(part: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """`part` with a description in the place of each tensor in it; the tensors go to `tensors` by their paths."""

    def describe(path: tuple[Any, ...], leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        key = ".".join([name, *(str(getattr(entry, "key", getattr(entry, "idx", entry))) for entry in path)])
        tensors[key] = leaf
        return {"tensor": key, "shape": list(leaf.shape), "dtype": leaf.dtype}

    return tree_map_with_path(describe, part)


def _put_back(part: Any, tensors: dict[str, Tensor]) -> Any:
    """What `_set_apart` was given, with these tensors."""
    return tree_map(
        lambda leaf: tensors[leaf["tensor"]] if _is_description(leaf) else leaf, part, is_leaf=_is_description
    )


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


@contextmanager
def _one_error(what: str) -> Iterator[None]:
    """Turns what the ranks raise together into the error of the first that failed: a LabError if a file was it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except CheckpointException as error:
        cause = min(error.failures.items())[1][0]
        if isinstance(cause, OSError):
            raise LabError(f"{what} ({cause.strerror})") from error
        raise RuntimeError(f"{what}: {cause}") from error
