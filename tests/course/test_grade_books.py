"""Points go into the grade books of Canvas and Moodle, to the right student, and nothing else changes in them."""

import csv
import io

import pytest
from small_course import Course, small_course

from labkit.course.errors import LabError
from labkit.grade.formats.canvas import into_canvas
from labkit.grade.formats.gradebook import NOT_FOUND, Merged
from labkit.grade.formats.moodle import into_moodle
from labkit.grade.results import Outcome, Result, append

CANVAS = (
    'Student,ID,SIS User ID,SIS Login ID,Section,"Lab 03, easy (122)",Lab 04 (123),Final Score\n'
    "    Points Possible,,,,,10.00,150.00,(read only)\n"
    '"Okafor, Amara",11,S1,amara,A,9.00,,90.0\n'
    '"Kovács, Béla",12,S2,bela@x.edu,A,,7.00,\n'
    '"=cmd()",13,S3,c,A,,,\n'
    '"Student, Test",99,,,A,,,\n'
)
MOODLE = (
    "\ufeffIdentifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,"
    "Last modified (grade),Feedback comments\n"
    'Participant 11,Amara Okafor,a@x.edu,Submitted,,150.00,Yes,-,\n'
    'Participant 111,Béla Kovács,b@x.edu,Submitted,7.00,150.00,Yes,"Monday, 2 March 2026, 8:00 AM",good\n'
    "Participant 13,=cmd(),c@x.edu,Submitted,5.00,150.00,No,-,\n"
)  # fmt: skip


def result(name: str, points: int = 100, state: Outcome = Outcome.GRADED) -> Result:
    return Result("key", name, "lab04", points, 150, state)


def table(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def changed(before: str, merged: Merged) -> dict[tuple[str, str], str]:
    """What is other than before, by the row's first cell and the column's title."""
    old, new = table(before), table(merged.text)
    assert [len(row) for row in old] == [len(row) for row in new] and old[0] == new[0]
    return {(row[0], title): cell for row, was in zip(new, old, strict=True)
            for title, cell, before in zip(new[0], row, was, strict=True) if cell != before}  # fmt: skip


# Canvas -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["okaforamara_11", "okaforamara_late_11", "11", "S1", "amara"])
def test_canvas_student_is_found_by_any_id(name: str) -> None:
    merged = into_canvas([result(name)], CANVAS.encode(), "Lab 04 (123)")
    assert changed(CANVAS, merged) == {("Okafor, Amara", "Lab 04 (123)"): "100"}
    assert (merged.entered, merged.left) == ([name], [])


def test_canvas_export_with_nothing_to_enter_comes_back_as_it_was() -> None:
    same = '"Okafor, Amara",11,S1,amara,A,9.00,,90.0\r\n'
    export = "\ufeffStudent,ID,SIS User ID,SIS Login ID,Section,L (1),M (2),Final Score\r\n" + same
    assert into_canvas([], export.encode(), "M (2)").text == export


def test_points_that_are_nobodys_are_told_and_not_entered() -> None:
    results = [result("x_404"), result("amara"), result("okafor_11"), result("c", 0, Outcome.GRADER_ERROR)]
    merged = into_canvas(results, CANVAS.encode(), "Lab 04 (123)")
    assert changed(CANVAS, merged) == {}
    same = "another submission fits the same row"
    assert dict(merged.left) == {"x_404": NOT_FOUND, "amara": same, "okafor_11": same, "c": "not judged yet"}


def test_students_without_a_submission_are_named() -> None:
    """Not one whose points could not be entered."""
    results = [result("okafor_11"), result("bela@x.edu", 0, Outcome.GRADER_ERROR), result("x_404")]
    assert into_canvas(results, CANVAS.encode(), "Lab 04 (123)").absent == ["=cmd()", "Student, Test"]
    export = "LastName,FirstName,ID,Section,L (1)\n    Points Possible,,,,150\nOkafor,Amara,11,A,\n"
    assert into_canvas([], export.encode(), "L (1)").absent == ["Okafor, Amara"]


def test_a_cell_that_says_more_than_a_number_is_left() -> None:
    """EX is a student who is excused."""
    export = CANVAS.replace("A,9.00,,", "A,9.00,EX,")
    merged = into_canvas([result("amara", 0, Outcome.BROKEN), result("bela@x.edu")], export.encode(), "Lab 04 (123)")
    assert changed(export, merged) == {("Kovács, Béla", "Lab 04 (123)"): "100"}
    assert merged.left == [("amara", "has EX in the grade book, which was left there")]
    assert merged.changed == [("bela@x.edu", "7.00")]


def test_points_that_are_there_already_are_no_change() -> None:
    merged = into_canvas([result("bela@x.edu", 7)], CANVAS.encode(), "Lab 04 (123)")
    assert (merged.text, merged.entered, merged.changed) == (CANVAS, ["bela@x.edu"], [])


def test_broken_submission_has_no_points() -> None:
    merged = into_canvas([result("bela@x.edu", 0, Outcome.BROKEN)], CANVAS.encode(), "Lab 04 (123)")
    assert changed(CANVAS, merged) == {("Kovács, Béla", "Lab 04 (123)"): "0"}


@pytest.mark.parametrize(
    ("export", "column", "says"),
    [
        (CANVAS, "Lab 05", "there is no column 'Lab 05'; its columns: Student, ID, "),
        (CANVAS, "ID", "'ID' is no assignment"),
        (CANVAS, "Lab 03, easy (122)", "has 10.00 points possible, the lab 150; change it in Canvas first"),
        (CANVAS.replace("Final Score", "Lab 04 (123)"), "Lab 04 (123)", "there are two columns"),
        ("a,b\n1,2\n", "b", "is no grade book of Canvas"),
        ("", "b", "is empty"),
        ('Student,ID\n"a"b,1\n', "ID", "is no CSV"),
        ('Student,ID,"', "ID", "is no CSV"),
    ],
)
def test_what_is_no_export_of_canvas_is_refused(export: str, column: str, says: str) -> None:
    with pytest.raises(LabError) as refused:
        into_canvas([result("11")], export.encode(), column, "export.csv")
    assert says in str(refused.value) and str(refused.value).startswith("export.csv")


def test_export_in_another_encoding_is_refused() -> None:
    with pytest.raises(LabError, match="is not UTF-8; export it again"):
        into_canvas([], CANVAS.encode("utf-16"), "Lab 04 (123)")


def test_export_with_semicolons_and_commas_in_numbers() -> None:
    export = "Student;ID;Section;L (1)\nPoints Possible;;;150,00\nO;11;A;\n"
    assert into_canvas([result("11")], export.encode(), "L (1)").text.splitlines()[-1] == "O;11;A;100"


def test_export_with_first_and_last_names() -> None:
    export = "LastName,FirstName,ID,SIS Login ID,Section,L (1)\n    Points Possible,,,,,150\nOkafor,Amara,11,amara,A,\n"
    merged = into_canvas([result("amara")], export.encode(), "L (1)")
    assert changed(export, merged) == {("Okafor", "L (1)"): "100"}
    with pytest.raises(LabError, match="'FirstName' is no assignment"):
        into_canvas([result("amara")], export.encode(), "FirstName")


# Moodle -----------------------------------------------------------------------------------------------------------


def test_moodle_participant_is_found_by_the_whole_number() -> None:
    """Participant 11 is not 111, and a worksheet keeps what says whether it is out of date."""
    results = [result("Amara Okafor_11"), result("Béla Kovács_111", 150)]
    merged = into_moodle(results, MOODLE.encode())
    assert changed(MOODLE, merged) == {("Participant 11", "Grade"): "100", ("Participant 111", "Grade"): "150"}
    assert merged.text.startswith("\ufeffIdentifier,")


def test_nothing_else_in_the_file_changes() -> None:
    """Not a quote, not a line end, not a line in a cell."""
    rows = [
        '"Identifier","Full name","Grade","Maximum Grade","Comment"\r\n',
        '"Participant 11",A,"","150.00","a ""b""\r\nc"\r\n',
        'Participant 12,"B","3.00","150.00"\r\n',
        '"Participant 13",C,,"150.00",d',
    ]
    merged = into_moodle([result("a_11"), result("c_13")], ("\ufeff" + "".join(rows)).encode())
    rows[1], rows[3] = rows[1].replace(',"",', ',"100",'), rows[3].replace(",,", ",100,")
    assert merged.text == "\ufeff" + "".join(rows)


def test_moodle_takes_no_grade_that_is_locked() -> None:
    merged = into_moodle([result("=cmd()_13")], MOODLE.encode())
    assert changed(MOODLE, merged) == {} and merged.left == [("=cmd()_13", "its grade is locked in Moodle")]


def test_moodle_would_skip_points_above_its_maximum() -> None:
    with pytest.raises(LabError, match=r"takes 100 points, the lab has 150; change its maximum in Moodle first"):
        into_moodle([result("x_11")], MOODLE.replace("150.00", "100.00").encode())


GERMAN = (
    "ID,Vollständiger Name,E-Mail-Adresse,Status,Bewertung,Bestwertung,Bewertung kann geändert werden,"
    "Zuletzt geändert (Bewertung),Feedback als Kommentar\n"
    'Teilnehmer/in11,Amara Okafor,a@x.edu,Zur Bewertung abgegeben,,"150,00",Ja,-,\n'
    'Teilnehmer/in12,Béla Kovács,b@x.edu,Keine Abgabe,"7,00","150,00",Ja,"Montag, 2. März 2026",gut\n'
)


def test_moodle_worksheet_in_another_language() -> None:
    """Its columns are found by what they hold, and its maximum counts too."""
    assert changed(GERMAN, into_moodle([result("A_11")], GERMAN.encode())) == {("Teilnehmer/in11", "Bewertung"): "100"}
    with pytest.raises(LabError, match="takes 100 points, the lab has 150"):
        into_moodle([result("A_11")], GERMAN.replace("150,00", "100,00").encode())


def test_moodle_columns_that_cannot_be_told_apart_are_named() -> None:
    year = (
        GERMAN.replace("Status,", "Gruppe,Jahr,Status,").replace(",Zur ", ",1,2026,Zur ").replace(",Kei", ",2,2026,Kei")
    )
    with pytest.raises(LabError, match=r"which column has the grades.*--column; its columns: ID, .*, Gruppe, Jahr"):
        into_moodle([result("A_11")], year.encode())
    merged = into_moodle([result("A_11")], year.encode(), column="Bewertung")
    assert changed(year, merged) == {("Teilnehmer/in11", "Bewertung"): "100"}
    other = "Name,Nr,Note\nA,11,\n"
    with pytest.raises(LabError, match=r"'Name' does not hold numbers of participants; .* --id-column; its columns: "):
        into_moodle([result("A_11")], other.encode(), column="Note")
    merged = into_moodle([result("A_11")], other.encode(), column="Note", id_column="Nr")
    assert changed(other, merged) == {("A", "Note"): "100"}


def test_what_is_no_worksheet_is_refused() -> None:
    with pytest.raises(LabError, match="'Student' does not hold numbers of participants"):
        into_moodle([result("x_11")], CANVAS.encode())


# The commands -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """With the results of a class, and what the two systems have exported of it."""
    found = small_course(tmp_path_factory.mktemp("course"))
    out = found.root / "out"
    out.mkdir()
    for name, points in (("okafor_11", 100), ("no\none_404", 3)):
        append(out, result(name, points))
    (found.root / "export.csv").write_text(CANVAS, encoding="utf-8")
    (found.root / "worksheet.csv").write_text(MOODLE, encoding="utf-8")
    return found


def test_commands_write_the_grade_book_and_say_who_is_not_in_it(course: Course) -> None:
    (course.root / "export.csv").write_text(CANVAS.replace("A,9.00,,", "A,9.00,12.5,"), encoding="utf-8")
    stranger = r"- no\none_404: was not found in the grade book"
    nothing = ": in the grade book, and no submission is theirs"
    replaced = "- okafor_11: had 12.5 points in the grade book, which were replaced"
    ran = course.labkit("canvas", "out", "--export", "export.csv", "--column", "Lab 04 (123)", "--out", "new.csv")
    absent = [f"- {name}{nothing}" for name in ("Kovács, Béla", "=cmd()", "Student, Test")]
    last = "written: new.csv: 1 entered, 1 not; students without a submission: 3."
    assert (ran.code, ran.err, ran.out.splitlines()) == (0, "", [replaced, stranger, *absent, last])
    assert "9.00,100,90.0" in (course.root / "new.csv").read_text(encoding="utf-8")
    ran = course.labkit("moodle", "out", "--worksheet", "worksheet.csv", "--out", "new.csv")
    absent = [f"- {name}{nothing}" for name in ("Participant 111, Béla Kovács", "Participant 13, =cmd()")]
    last = "written: new.csv: 1 entered, 1 not; students without a submission: 2."
    assert (ran.code, ran.err, ran.out.splitlines()) == (0, "", [stranger, *absent, last])
    assert "Submitted,100,150.00" in (course.root / "new.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("canvas", "src", "--export", "export.csv", "--column", "x"), "src: holds no results.jsonl; name the folder"),
        (("canvas", "out", "--export", "no.csv", "--column", "x"), "no.csv: cannot be read (No such file"),
        (("canvas", "out", "--export", "export.csv", "--column", "x"), "export.csv: there is no column 'x'"),
        (("moodle", "out", "--worksheet", "export.csv"), "export.csv: 'Student' does not hold numbers of"),
        (("gradescope", "lab99"), "there is no lab 'lab99'"),
        (("github-workflow", "lab07", "--course", "x"), "--course x: is no repository of GitHub"),
        (("grade-one", "lab07", "no", "--as", "github"), "no: there is nothing; give the student's folder or file"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(course: Course, arguments: tuple[str, ...], says: str) -> None:
    ran = course.labkit(*arguments, "--out", "refused.csv", TORCH="yes")
    assert ran.code == 1 and ran.out == ""
    assert ran.err.startswith(f"labkit: {says}") and len(ran.err.splitlines()) == 1
    assert not (course.root / "refused.csv").exists()


def test_workflow_is_written(course: Course) -> None:
    ran = course.labkit("github-workflow", "lab07", "--course", "org/course", "--out", "classroom.yml")
    assert (ran.code, ran.err) == (0, "")
    assert "labkit grade-one lab07 " in (course.root / "classroom.yml").read_text()
