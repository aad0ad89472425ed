"""Checkpoints of many ranks: whole or not there, and good for another number of ranks."""

import shutil
from pathlib import Path

import pytest
import torch
import torch.distributed.checkpoint as dcp
from commandline import refused, run, solution
from gang import on_ranks, torchrun
from test_checkpoint import same

from labkit.labs.mixed_precision.sharded_checkpoint import TrainingFolder
from labkit.labs.mixed_precision.training import Settings, Training
from labkit.toolbox import distributed

# Three steps an epoch, a batch that 1 to 4 ranks can share, and overflows at the beginning.
SETTINGS = ("--dtype", "fp16", "--init-scale", 2.0**24, "--batch-size", 480)

pytestmark = pytest.mark.filterwarnings("ignore:torch.distributed is disabled:UserWarning")


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of the newest checkpoint below `folder`, whole."""
    reader = dcp.FileSystemReader(TrainingFolder(folder).newest())
    described = reader.read_metadata().state_dict_metadata
    room = {name: torch.empty(entry.size, dtype=entry.properties.dtype) for name, entry in described.items()}
    dcp.load(room, storage_reader=reader, no_dist=True)
    return room


def equal(one: Path, other: Path) -> bool:
    """Whether two folders hold the same training, bit for bit."""
    return same(tensors(one), tensors(other)) and same(TrainingFolder(one).load(), TrainingFolder(other).load())


@pytest.fixture(scope="module", params=["ddp", "fsdp"])
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A strategy and a checkpoint of three epochs by it on 2 ranks."""
    folder = tmp_path_factory.mktemp(request.param) / "saved"
    assert torchrun(2, *SETTINGS, "--epochs", 3, "--strategy", request.param, "--checkpoint", folder).err == ""
    return request.param, folder


def save_again(old: Path, new: Path) -> None:
    """Loads what `old` holds, on as many ranks as there are, and saves it to `new`."""
    ranks = distributed.of_torchrun()
    ranks.meet()
    ranks.join("cpu")
    state = TrainingFolder(old).load()
    training = Training(solution(), Settings(**state["settings"]), ranks=ranks)
    TrainingFolder(old).restore(training, state)
    TrainingFolder(new).save(training)
    ranks.part()
    ranks.end("", 0)


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_what_two_ranks_saved_loads_on_any_number(ranks: int, saved: tuple[str, Path], tmp_path: Path) -> None:
    _, old = saved
    finished = on_ranks(ranks, save_again, old, tmp_path / "new")
    assert finished.code == 0, finished.err
    state, found = TrainingFolder(old).load(), tensors(old)
    assert state["trainer"]["scaler"]["scale"] < 2.0**24 and state["trainer"]["scaler"]["_growth_tracker"] > 0
    moments = [name for name in found if "exp_avg" in name]
    assert moments and all(found[name].any() for name in moments)
    assert equal(old, tmp_path / "new")


def test_each_rank_saves_its_own_part_only_if_it_is_sharded(saved: tuple[str, Path]) -> None:
    strategy, folder = saved
    sizes = [path.stat().st_size for path in sorted(TrainingFolder(folder).newest().glob("*.distcp"))]
    assert len(sizes) == 2 and (strategy == "ddp" or max(sizes) < 0.6 * sum(sizes))


def test_stopped_and_gone_on_ends_bit_for_bit_as_an_undisturbed_one(saved: tuple[str, Path], tmp_path: Path) -> None:
    strategy, straight = saved
    more = ("--checkpoint", tmp_path / "run", "--checkpoint-every", 2, "--strategy", strategy)
    first = torchrun(2, *SETTINGS, "--epochs", 1, *more)
    second = torchrun(2, *SETTINGS, "--epochs", 3, *more)
    assert second.out.startswith(f"resumed from {tmp_path / 'run'} after 3 steps, 1 threads")
    assert first.err == second.err == ""
    assert equal(straight, tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["step-00000009"]


def test_another_number_of_ranks_goes_on_from_it(saved: tuple[str, Path], tmp_path: Path) -> None:
    strategy, old = saved
    finished = torchrun(3, "--resume", old, "--strategy", strategy, "--epochs", 4, "--checkpoint", tmp_path / "run")
    assert finished.err == "" and "epoch   4/4" in finished.out and "epoch   3/4" not in finished.out


def test_a_damaged_checkpoint_is_refused_and_left_alone(saved: tuple[str, Path], tmp_path: Path) -> None:
    strategy, old = saved
    for name in ("__1_0.distcp", ".metadata", "training.pt", "SHA256SUMS"):
        folder = tmp_path / name
        shutil.copytree(old, folder)
        damaged = TrainingFolder(folder).newest() / name
        whole = bytearray(damaged.read_bytes())
        whole[len(whole) // 2] ^= 1
        damaged.write_bytes(whole)
        line = refused(torchrun(2, "--strategy", strategy, "--checkpoint", folder))
        assert "is damaged; `sha256sum -c SHA256SUMS` in it says which file" in line
        assert damaged.read_bytes() == whole


def test_one_process_and_many_do_not_take_each_others_checkpoints(saved: tuple[str, Path], tmp_path: Path) -> None:
    strategy, folder = saved
    assert "is a folder, as it is saved under torchrun" in refused(run(solution(), "--resume", folder))
    file = tmp_path / "run.pt"
    assert run(solution(), *SETTINGS, "--epochs", 1, "--checkpoint", file).code == 0
    assert "is a file, saved by one process" in refused(torchrun(1, "--resume", file))
    other = {"ddp": "fsdp", "fsdp": "ddp"}[strategy]
    line = refused(torchrun(2, "--resume", folder, "--strategy", other))
    assert f"--strategy {other}: {folder} was trained with {strategy}" in line


def test_a_full_disk_is_one_line_and_leaves_the_last_checkpoint(saved: tuple[str, Path], tmp_path: Path) -> None:
    strategy, old = saved
    folder = tmp_path / "run"
    shutil.copytree(old, folder)
    finished = on_ranks(2, go_on_with_a_full_disk, folder, strategy)
    assert finished.code == 1 and finished.err.count("\n") == 1 and "No space left on device" in finished.err
    assert TrainingFolder(folder).newest().name == "step-00000009" and equal(old, folder)


def go_on_with_a_full_disk(folder: Path, strategy: str) -> None:
    import os

    import labkit.labs.mixed_precision.commands

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    os.fsync = full
    labkit.labs.mixed_precision.commands.main(
        solution(), ["--epochs", "4", "--strategy", strategy, "--checkpoint", str(folder)]
    )
