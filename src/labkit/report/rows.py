"""The rows of a page about records, and the environment that fills the page in: the report's, a student's, the class's.

The look of all of them is `look.css.jinja`, and `steps.html.jinja` writes the rows.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup

from labkit.course.manifest import Lab, Step
from labkit.course.records import LOST, Record
from labkit.judge.lines import alike, errors_alike, may_follow
from labkit.judge.summary import UNJUDGED, failing_before, states


@dataclass(frozen=True)
class Row:
    """Some behaviours together, and where they are on the way. Of those in `secret` only the names are told."""

    records: list[Record]
    secret: Collection[str] = ()

    @property
    def earned(self) -> int:
        return sum(record.earned for record in self.records)

    @property
    def worth(self) -> int:
        """The points that could be earned here."""
        return sum(record.points for record in self.records if record.state not in UNJUDGED)

    @property
    def more(self) -> list[str]:
        """The points that could not, and why: "66 more with deepspeed", "3 more: the course's own machinery failed"."""
        points: dict[str, int] = {}
        for record in self.records:
            if record.state in UNJUDGED:
                why = f" with {record.needs}" if record.state == "skipped" else ": the course's own machinery failed"
                points[why] = points.get(why, 0) + record.points
        return [f"{number} more{why}" for why, number in points.items()]

    @property
    def states(self) -> str:
        return states(self.records)

    @property
    def told(self) -> list[list[Record]]:
        """The behaviours of which there is more to say than their state; those together that say the same."""
        public = [record for record in self.records if record.id not in self.secret]
        return [*alike([record for record in public if record.state in LOST]), *errors_alike(public)]

    def printed_in(self, record: Record) -> Record:
        """The first of those told that printed the same: what all tests print is shown once."""
        return next(group[0] for group in self.told if group[0].printed == record.printed)

    @property
    def passed(self) -> bool:
        return all(record.state == "passed" for record in self.records)


@dataclass(frozen=True, kw_only=True)
class StepRow(Row):
    """The behaviours of a step, and from which step its failures may follow."""

    step: Step
    may_follow: str = ""


def step_rows(lab: Lab, records: list[Record], secret: Collection[str] = ()) -> list[StepRow]:
    """A row for every step of the lab."""
    before = {step.number: failing_before(lab, step.number, records) for step in lab.steps}
    return [
        StepRow(
            [record for record in records if record.step == step.number],
            secret,
            step=step,
            may_follow=may_follow(cause) if (cause := before[step.number]) else "",
        )
        for step in lab.steps
    ]


def environment(*folders: Path) -> jinja2.Environment:
    """Fills in templates of `folders` and those here; what comes from the code under test is text, never markup."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, Path(__file__).parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals["lost"] = LOST
    found.filters["code"] = code
    return found


def code(text: str) -> Markup:
    """The text with what is between backticks set as code."""
    parts = text.split("`")
    return Markup("").join(Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(parts))
