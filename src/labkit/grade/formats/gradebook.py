"""Puts points into a grade book that another system has exported; all else in it stays as it was."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from labkit.course.errors import LabError
from labkit.course.screen import visible
from labkit.grade.results import Outcome, Result


@dataclass
class Gradebook:
    """A table with a header, as it was exported: with its byte order mark, its separator and its line ends."""

    mark: str
    separator: str
    end: str
    header: list[str]
    rows: list[list[str]]

    @classmethod
    def read(cls, data: bytes, name: str) -> "Gradebook":
        """The table in a file. Raises LabError, with the file's `name`, if it is none."""
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            raise LabError(f"{name}: is not UTF-8; export it again, and do not save it with a spreadsheet") from None
        mark = "\ufeff" if text.startswith("\ufeff") else ""
        text = text.removeprefix(mark)
        first = text.partition("\n")[0]
        separator = max(",;\t", key=first.count)
        end = "\r\n" if first.endswith("\r") else "\n"
        try:
            table = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True) if row]
        except csv.Error as error:
            raise LabError(f"{name}: is no CSV table ({error})") from None
        if not table:
            raise LabError(f"{name}: is empty; give the file that was exported")
        header, *rows = table
        return cls(mark, separator, end, header, [row + [""] * (len(header) - len(row)) for row in rows])

    def column(self, title: str, name: str) -> int:
        """The number of a column. Raises LabError, with the file's `name`, unless there is exactly one."""
        found = [index for index, one in enumerate(self.header) if one.strip() == title.strip()]
        if len(found) != 1:
            says = "there are two columns" if found else "there is no column"
            raise LabError(f"{name}: {says} {visible(title)!r}; {self.columns()}")
        return found[0]

    def columns(self) -> str:
        return f"its columns: {', '.join(map(visible, self.header))}"

    def text(self) -> str:
        table = io.StringIO()
        csv.writer(table, delimiter=self.separator, lineterminator=self.end).writerows([self.header, *self.rows])
        return self.mark + table.getvalue()


def number(cell: str) -> float | None:
    """150 of "150.00" and of "150,00": systems export either."""
    try:
        return float(cell.strip().replace(",", "."))
    except ValueError:
        return None


@dataclass
class Merged:
    """A grade book with points: its text, which submissions are in it, and which of them found no row, and why."""

    text: str = ""
    entered: list[str] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)


def merge(
    book: Gradebook,
    rows: Sequence[list[str]],
    column: int,
    results: Iterable[Result],
    names: Callable[[list[str]], set[str]],
    locked: Callable[[list[str]], str] = lambda row: "",
) -> Merged:
    """Writes each result's points into `column` of the row that is its student's.

    A submission is the student's in whose `names` it is, or the number at its end. What the grader itself could not
    judge stays as it was, and a row is nobody's if two submissions fit it. `locked` says why a row takes no points.
    """
    merged = Merged()
    owners: dict[int, list[tuple[Result, list[str]]]] = {}
    for result in results:
        keys = {result.submission, *re.findall(r"_(\d+)$", result.submission)}
        fits = [row for row in rows if keys & names(row)]
        if result.state == Outcome.GRADER_ERROR:
            merged.left.append((result.submission, "not judged yet"))
        elif len(fits) != 1:
            merged.left.append((result.submission, "fits two rows" if fits else "is in no row"))
        elif why := locked(fits[0]):
            merged.left.append((result.submission, why))
        else:
            owners.setdefault(id(fits[0]), []).append((result, fits[0]))
    for found in owners.values():
        for result, row in found:
            if len(found) > 1:
                merged.left.append((result.submission, "another submission fits the same row"))
            else:
                row[column] = str(result.points)
                merged.entered.append(result.submission)
    merged.text = book.text()
    return merged
