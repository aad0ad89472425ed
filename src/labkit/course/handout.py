"""Makes the table of steps in a lab's handout from its manifest; all else in the handout is written by hand."""

from labkit.course.errors import LabError
from labkit.course.files import write_whole
from labkit.course.manifest import Lab, Step

BEGIN = "<!-- steps: made by make skeletons -->"
END = "<!-- end -->"
HEAD = ("Step", "Write", "Minutes", "Points", "Read")


def handout_of(lab: Lab, text: str) -> str:
    """The handout `text` with its table of steps as the manifest has it today.

    Raises:
        LabError: the two markers do not stand in it, once each and in this order.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in rest or END in before + after:
        raise LabError(f"{lab.paths.handout}: the table of steps stands between {BEGIN} and {END}, once each")
    return f"{before}{BEGIN}\n{table(lab)}\n{END}{after}"


def write_handout(lab: Lab) -> list[str]:
    """Writes the table of steps into the handout, or begins a handout where there is none; says what was done."""
    path = lab.paths.handout
    old = path.read_text(encoding="utf-8") if path.exists() else None
    new = handout_of(lab, _beginning(lab) if old is None else old)
    if new != old:
        write_whole(path, new.encode())
    return [f"{path.relative_to(lab.paths.root)}: {'up to date' if new == old else 'written'}"]


def table(lab: Lab) -> str:
    """One row a step and one for the sum, as Markdown."""
    rows = [HEAD, ("---", "---", "--:", "--:", "---"), *(_row(lab, step) for step in lab.steps)]
    rows.append(("", "", str(lab.minutes), str(lab.points), ""))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(lab: Lab, step: Step) -> tuple[str, ...]:
    points = sum(behaviour.points for behaviour in lab.behaviours if behaviour.step == step.number)
    reading = f"[{step.read.replace('-', ' ')}](../../{lab.reading}#{step.read})"
    return f"{step.number} {step.title}", _functions(step), str(step.minutes), str(points), reading


def _functions(step: Step) -> str:
    """The step's functions; the class of a method is named once: `Thing.half`, `.whole`."""
    shown, before = [], ""
    for function in step.todo:
        owner, _, name = function.rpartition(".")
        shown.append(f"`.{name}`" if owner and owner == before else f"`{function}`")
        before = owner
    return ", ".join(shown)


def _beginning(lab: Lab) -> str:
    return f"# Lab {lab.number:02d}: {lab.title}\n\n{lab.goal}\n\n## The steps\n\n{BEGIN}\n{END}\n"
