"""A class to try the grader on: right, wrong, unfinished and broken submissions, named as Moodle and Canvas do."""

from pathlib import Path

import click

from labkit.course import manifest
from labkit.course.errors import LabError
from labkit.course.files import make_folder, write_whole, zipped
from labkit.course.manifest import Lab
from labkit.proof.bank import Answer, read_bank

BROKEN = {
    "Dijkstra Edsger_10437_assignsubmission_file_": "def unfinished(:\n",
    "Lamport Leslie_10438_assignsubmission_file_": "while True:\n    pass\n",
    "Wirth Niklaus_10439_assignsubmission_file_": "import os\n\nos._exit(0)\n",
}


@click.command()
@click.argument("lab")
@click.argument("folder", type=click.Path(path_type=Path))
def sample_class(lab: str, folder: Path) -> None:
    """Write a small class of submissions to LAB into FOLDER: right, wrong, unfinished and broken ones."""
    found = manifest.find(lab)
    written = write_class(found, folder)
    click.echo(f"written: {len(written)} submissions in {folder}")
    click.echo(f"Next: make grade LAB={found.number:02d} SUBMISSIONS={folder} OUT=../graded")


def write_class(lab: Lab, folder: Path) -> list[Path]:
    """Writes the submissions into `folder`, which must not be there yet; gives their paths.

    The wrong ones are the solution with a mistake of the bank on top, one for each step, and one that two have.

    Raises:
        LabError: the folder is there, or cannot be made.
    """
    if folder.exists():
        raise LabError(f"{folder}: is already there; name a folder that does not exist")
    make_folder(folder, "FOLDER")
    solution = lab.paths.solution.read_text(encoding="utf-8")
    file = f"{lab.stem}.py"
    wrong = [_with(solution, mistake) for mistake in _one_for_each_step(lab)]
    texts = {
        f"Lovelace Ada_10431_assignsubmission_file_/{file}": solution,
        f"Noether Emmy_10432_assignsubmission_file_/{file}": lab.paths.skeleton.read_text(encoding="utf-8"),
        f"Hopper Grace_10433_assignsubmission_file_/lab/{file}": wrong[0],
        f"turingalan_4711_99101_{lab.stem}-1.py": wrong[0],
        **{f"{name}/{file}": text for name, text in BROKEN.items()},
        **{f"student{number}_47{number:02d}_991{number:02d}_{file}": text
           for number, text in enumerate(wrong[1:], start=20)},
    }  # fmt: skip
    for name, text in texts.items():
        make_folder((folder / name).parent, "FOLDER")
        write_whole(folder / name, text.encode())
    archive = zipped({f"lab/{file}": solution.encode(), "lab/notes.txt": b"-"})
    write_whole(folder / "hamiltonmargaret_4712_99102_lab.zip", archive)
    return sorted(folder.iterdir())


def _one_for_each_step(lab: Lab) -> list[Answer]:
    """Of every step the mistake that loses the most tests, by what the last proof wrote."""
    from labkit.judge.diagnosis import misconceptions

    lost = {one.name: len(one.fails) for one in misconceptions(lab)}
    bank = [one for one in read_bank(lab) if one.kind == "mistake"]
    steps = [[one for one in bank if one.step == step.number] for step in lab.steps]
    return [max(mistakes, key=lambda one: lost.get(one.name, 0)) for mistakes in steps if mistakes]


def _with(solution: str, mistake: Answer) -> str:
    assert mistake.overlay is not None, "a mistake is a file"
    return f"{solution}\n\n{mistake.overlay.read_text(encoding='utf-8')}"


COMMANDS = (sample_class,)
