"""Points in a grade book of Canvas.

An export has the columns Student, or LastName and FirstName, ID, SIS User ID, SIS Login ID and Section, in English in
any language, then a column for each assignment, titled with its name and number: "Lab 04 (123)". Rows above the
students', one of them "Points Possible", are about a column.
Canvas finds students by ID, and leaves a score alone that is the one it has.
https://community.canvaslms.com/t5/Instructor-Guide/How-do-I-import-grades-in-the-Gradebook/ta-p/807
https://github.com/instructure/canvas-lms/blob/master/lib/gradebook_exporter.rb
https://github.com/instructure/canvas-lms/blob/master/lib/gradebook_importer.rb
"""

from collections.abc import Sequence

from labkit.course.errors import LabError
from labkit.grade.formats.gradebook import Gradebook, Merged, merge, number
from labkit.grade.results import Result

NAMES = ("ID", "SIS User ID", "SIS Login ID")  # columns by which a student is known
ABOUT = (*NAMES, "Student", "LastName", "FirstName", "Integration ID", "Root Account", "Section")  # a student
CALLED = ("Student", "LastName", "FirstName")
POSSIBLE = "Points Possible"


def into_canvas(results: Sequence[Result], export: bytes, column: str, name: str = "--export") -> Merged:
    """The export with points in the column; `name` is what messages call it.

    Raises:
        LabError: it is no export of Canvas, has no such column, or gives the assignment other points than the lab has.
    """
    book = Gradebook.read(export, name)
    if book.header[0] not in ("Student", "LastName") or "ID" not in book.header:
        says = "is no grade book of Canvas, which begins with Student and ID; export it there again"
        raise LabError(f"{name}: {says}; {book.columns()}")
    at = book.column(column, name)
    if column in ABOUT:
        raise LabError(f"{name}: {column!r} is no assignment; name its column, such as 'Lab 04 (123)'")
    most = max((result.max_points for result in results), default=0)
    for row in book.rows:
        if row[0].strip() == POSSIBLE and results and number(row[at]) != most:
            possible = row[at].strip() or "none"
            raise LabError(
                f"{name}: {column} has {possible} points possible, the lab {most}; change it in Canvas first"
            )
    known = [book.header.index(title) for title in NAMES if title in book.header]
    id_at = book.header.index("ID")
    students = [row for row in book.rows if row[id_at].strip()]
    called = [book.header.index(title) for title in CALLED if title in book.header]

    def names(row: list[str]) -> set[str]:
        return {row[index].strip() for index in known} - {""}

    return merge(book, students, at, results, names, lambda row: ", ".join(row[index].strip() for index in called))
