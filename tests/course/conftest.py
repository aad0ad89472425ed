"""How `make test` shares out the files of this folder: long ones first, to more processes than there are cores."""

import pytest

from labkit.course.processes import usable_cores

# Begun last, one of these would go on alone. Others take seconds.
LONG = (
    "test_proof", "test_torchrun", "test_hostile", "test_grade", "test_pages", "test_add_a_lab", "test_handout",
    "test_plugin", "test_experiments", "test_sandbox", "test_ranks", "test_data_parallel_run", "test_sharded_run",
    "test_capstones_run", "test_status", "test_watch", "test_report", "test_gradescope", "test_grade_hidden",
    "test_grade_stops", "test_demo", "test_distributed_checkpoint", "test_notebook", "test_distributed",
    "test_checkpoint", "test_explain", "test_release", "test_grade_pages",
)  # fmt: skip


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """More than there are cores: some tests wait, for a limit of time or for what they have ended. Each takes 6 s of a
    core, to collect all tests and for the processes from which others are forked.
    """
    return usable_cores() + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONG)))
