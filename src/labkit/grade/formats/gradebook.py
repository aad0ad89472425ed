"""Puts points into a grade book that another system has exported; all else in it stays as it was, byte for byte."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from labkit.course.errors import LabError
from labkit.course.screen import visible
from labkit.grade.results import Outcome, Result

NOT_FOUND = "was not found in the grade book"
NOTHING = ("", "-")  # cells that hold no grade yet


@dataclass
class Gradebook:
    """A table with a header, as it was exported. `start` is what comes before it, a byte order mark; `written` has the
    cells as they are in the file, with their quotes, and `ends` what ends each line.
    """

    start: str
    separator: str
    written: list[list[str]]
    ends: list[str]
    header: list[str]
    rows: list[list[str]]

    @classmethod
    def read(cls, data: bytes, name: str) -> "Gradebook":
        """The table in a file. Raises LabError, with the file's `name`, if it is none."""
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            raise LabError(f"{name}: is not UTF-8; export it again, and do not save it with a spreadsheet") from None
        table = text.removeprefix("\ufeff").lstrip("\r\n")
        if not table:
            raise LabError(f"{name}: is empty; give the file that was exported")
        separator = max(",;\t", key=table.partition("\n")[0].count)
        cell = re.compile(rf'("(?:[^"]|"")*"|[^"{separator}\r\n][^{separator}\r\n]*|)({separator}|[\r\n]+|\Z)')
        written: list[list[str]] = [[]]
        ends: list[str] = []
        at = 0
        while len(ends) < len(written):
            found = cell.match(table, at)
            if found is None:
                line = table.count("\n", 0, at) + 1
                raise LabError(f"{name}, line {line}: is no CSV, a quote is out of place there; export it again")
            at = found.end()
            written[-1].append(found[1])
            if found[2] != separator:
                ends.append(found[2])
                if at < len(table):
                    written.append([])
        header, *rows = [[_value(one) for one in row] for row in written]
        padded = [row + [""] * (len(header) - len(row)) for row in rows]
        return cls(text[: len(text) - len(table)], separator, written, ends, header, padded)

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
        return self.start + "".join(map(self._line, self.written, [self.header, *self.rows], self.ends))

    def _line(self, written: list[str], values: list[str], end: str) -> str:
        """The row with its `values`; a cell that has the one that was read is written as it was."""
        cells = [
            was if _value(was) == value else f'"{value}"' if was.startswith('"') else value
            for was, value in zip_longest(written, values, fillvalue="")
        ]
        while len(cells) > len(written) and not cells[-1]:  # the row was shorter than the header
            cells.pop()
        return self.separator.join(cells) + end


def _value(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if cell.startswith('"') else cell


def number(cell: str) -> float | None:
    """150 of "150.00" and of "150,00": systems export either."""
    try:
        return float(cell.strip().replace(",", "."))
    except ValueError:
        return None


@dataclass
class Merged:
    """A grade book with points: its text, which submissions are in it, and which of them are not, and why.

    `changed` has those whose cell had another number, and that; `absent` the students who have submitted nothing.
    """

    text: str = ""
    entered: list[str] = field(default_factory=list)
    changed: list[tuple[str, str]] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


def merge(
    book: Gradebook,
    rows: Sequence[list[str]],
    column: int,
    results: Iterable[Result],
    names: Callable[[list[str]], set[str]],
    shown: Callable[[list[str]], str],
    locked: Callable[[list[str]], str] = lambda row: "",
) -> Merged:
    """Writes each result's points into `column` of the row that is its student's.

    A submission is the student's in whose `names` it is, or the number at its end. What the grader itself could not
    judge stays as it was, and so does a cell with a word in it, such as EX; a row is nobody's if two submissions fit
    it. `shown` is what a row's student is called; `locked` says why a row takes no points.
    """
    merged = Merged()
    owners: dict[int, list[tuple[Result, list[str]]]] = {}
    present: set[int] = set()
    for result in results:
        keys = {result.submission, *re.findall(r"_(\d+)$", result.submission)}
        fits = [row for row in rows if keys & names(row)]
        present |= set(map(id, fits))
        if result.state == Outcome.GRADER_ERROR:
            merged.left.append((result.submission, "not judged yet"))
        elif len(fits) != 1:
            merged.left.append((result.submission, "fits two rows of the grade book" if fits else NOT_FOUND))
        elif why := locked(fits[0]):
            merged.left.append((result.submission, why))
        else:
            owners.setdefault(id(fits[0]), []).append((result, fits[0]))
    for found in owners.values():
        for result, row in found:
            was = row[column].strip()
            if len(found) > 1:
                merged.left.append((result.submission, "another submission fits the same row"))
            elif was not in NOTHING and number(was) is None:
                merged.left.append((result.submission, f"has {visible(was)} in the grade book, which was left there"))
            else:
                if number(was) != result.points:
                    row[column] = str(result.points)
                    merged.changed += [(result.submission, was)] if was not in NOTHING else []
                merged.entered.append(result.submission)
    merged.absent = [shown(row) for row in rows if id(row) not in present]
    merged.text = book.text()
    return merged
