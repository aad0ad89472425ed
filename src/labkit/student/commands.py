"""The commands of the student's loop."""

import sys

import click

from labkit.course import manifest, screen


@click.command()
@click.argument("lab", required=False)
def status(lab: str | None) -> None:
    """Where you are in every lab (or in LAB alone), and the one next thing to do."""
    from labkit.student import status

    if lab:
        said = status.lines(status.standing(manifest.find(lab), say=screen.progress))
    else:
        said = status.course_lines(say=screen.progress)
    screen.progress("")
    screen.show(said)


@click.command()
@click.argument("lab")
@click.option("--step", type=int, help="Begin with this step instead of the first that is not passed.")
@click.option("--limit", type=click.FloatRange(0.1), help="Seconds for one test, instead of those of the manifest.")
def watch(lab: str, step: int | None, limit: float | None) -> None:
    """Test your file of LAB on every save."""
    from labkit.student.watch import watch

    watch(manifest.find(lab), step, limit)


@click.command()
@click.argument("lab")
@click.option("--step", type=int, help="The step; by default the one that you are at.")
def hint(lab: str, step: int | None) -> None:
    """Show one more hint of a step each time; never the solution."""
    from labkit.student import hints, status

    found = manifest.find(lab)
    screen.show(hints.next_hint(found, status.current_step(found) if step is None else step))


@click.command()
@click.argument("lab")
def reset(lab: str) -> None:
    """Restore the skeleton; your file is kept in backups/."""
    from labkit.student.reset import reset

    for line in reset(manifest.find(lab)):
        click.echo(line)


@click.command()
@click.argument("lab")
@click.option("--test", help="Its name, or a part of it; by default the one to work on now.")
def explain(lab: str, test: str | None) -> None:
    """What a test asks for, why that matters in practice, and where to read about it."""
    from labkit.student import explain

    screen.show(explain.explain(manifest.find(lab), test))


@click.command()
def doctor() -> None:
    """What this machine has, and what to do about what is missing."""
    from labkit.student import doctor

    findings = doctor.examine()
    screen.show(doctor.lines(findings))
    screen.show(["", *doctor.formats(findings)])
    sys.exit(1 if any(finding.needed and finding.remedy for finding in findings) else 0)


COMMANDS = (status, watch, hint, reset, explain, doctor)
