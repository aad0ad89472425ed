"""The results of a batch as tables: `grades.csv` for a spreadsheet, `junit.xml` for what reads tests' results."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from labkit.course.files import write_whole
from labkit.course.records import LOST, Record, State
from labkit.course.screen import visible
from labkit.grade.intake import UNUSED
from labkit.grade.results import Outcome, Result, Standing

COLUMNS = ("submission", "lab", "points", "max_points", "state", "isolation", "seconds", "reason", "late", "files")
FORMULA = ("=", "+", "-", "@")  # with these a spreadsheet takes a cell for a formula


def write_tables(out: Path, standings: Sequence[Standing]) -> list[Path]:
    """Writes both into the folder of the results, from them alone. Raises LabError."""
    last = [standing.result for standing in standings]
    texts = {out / "grades.csv": grades_csv(last), out / "junit.xml": junit_xml(last)}
    for path, text in texts.items():
        write_whole(path, text.encode())
    return list(texts)


def grades_csv(results: list[Result]) -> str:
    """A row for each submission. One without a verdict, by the grader's fault, has no points: that is no zero."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    for result in results:
        points = "" if result.state == Outcome.GRADER_ERROR else result.points
        row = {name: getattr(result, name) for name in COLUMNS} | {
            "points": points,
            "late": "late" if result.late else "",
            "files": _files(result),
        }
        writer.writerow(harmless(value) if isinstance(value, str) else value for value in row.values())
    return table.getvalue()


def _files(result: Result) -> str:
    """What was graded, and which other versions were not."""
    unused = ", ".join(name for name, why in result.left if why == UNUSED)
    return ", ".join(result.files) + (f" (not used: {unused})" if unused else "")


def harmless(cell: str) -> str:
    """The cell as text in one line, whatever it begins with."""
    return f"'{visible(cell)}" if cell.startswith(FORMULA) else visible(cell)


def junit_xml(results: list[Result]) -> str:
    """A suite for each submission with a case for each test; points are properties of both."""
    top = Element("testsuites")
    for result in results:
        suite = SubElement(top, "testsuite", name=visible(result.submission), time=f"{result.seconds:g}")
        _properties(suite, state=result.state, isolation=result.isolation,
                    points=result.points, max_points=result.max_points)  # fmt: skip
        for record in result.records:
            _case(suite, record)
        if result.reason:
            case = SubElement(suite, "testcase", classname=result.lab, name="submission", time="0")
            SubElement(case, "error", type=result.state, message=visible(result.reason))
        for name, tags in {
            "tests": "testcase",
            "failures": "*/failure",
            "errors": "*/error",
            "skipped": "*/skipped",
        }.items():
            suite.set(name, str(len(suite.findall(tags))))
    ElementTree.indent(top)
    return ElementTree.tostring(top, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: Element, record: Record) -> None:
    name = f"{record.lab}.step{record.step}"
    case = SubElement(suite, "testcase", classname=name, name=record.id, time=f"{record.seconds:g}")
    _properties(case, points=record.earned, max_points=record.points)
    if record.state == State.GRADER_ERROR:
        SubElement(case, "error", type=record.state, message=visible(record.got))
    elif record.state in LOST:
        failure = SubElement(case, "failure", type=record.state, message=visible(record.got))
        failure.text = visible(f"expected {record.expected}; {record.why}; read {record.read}")
    elif record.state != State.PASSED:
        SubElement(case, "skipped", type=record.state, message=visible(record.needs))


def _properties(element: Element, **values: object) -> None:
    properties = SubElement(element, "properties")
    for name, value in values.items():
        SubElement(properties, "property", name=name, value=str(value))
