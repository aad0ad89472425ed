"""The pages of a graded class: complete in themselves, true to the results, and safe from what strangers wrote."""

import re
from pathlib import Path

import pytest
from browser import WIDTHS, Elements, contrast, in_chromium

from labkit.course import manifest
from labkit.course.records import Record
from labkit.course.screen import visible
from labkit.grade.class_page import class_page, sentence
from labkit.grade.classroom import Classroom
from labkit.grade.pages import write_pages
from labkit.grade.results import Outcome, Result, Standing, append, read
from labkit.grade.student_page import page_name, student_page
from labkit.grade.table import grades_csv
from labkit.judge.diagnosis import misconceptions
from labkit.observe.isolation import Level

LAB = manifest.find("lab04")
KNOWN = misconceptions(LAB)
FIRST = LAB.steps[0].number
SCRIPT = "<script>alert(1)</script>"
HOSTILE = [
    SCRIPT,
    "=cmd()",
    "Long" * 75,
    "\u202egnp.exe",
    "ש״ל כהן",
    "two\nlines\x1b[31m",
    "'\"><img src=x onerror=1>",
    "\udcff",
]


def records(lost: dict[str, str] | None = None, todo_from: int = 99, **changes: object) -> tuple[Record, ...]:
    """A record for every test: passed but for those in `lost`, by what they got, and steps from `todo_from` on."""
    found = []
    for one in LAB.behaviours:
        base = Record(LAB.name, one.id, one.step, one.points, 0.1, f"{LAB.reading}#{one.read}")
        if one.step >= todo_from:
            found.append(base.but(state="todo", needs=f"Step {one.step}: {next(iter(LAB.step(one.step).todo))}"))
        elif one.id in (lost or {}):
            found.append(base.but(state="failed", got=lost[one.id], **{"expected": "x", "why": "a & b"} | changes))
        else:
            found.append(base.but(state="passed", earned=one.points))
    return tuple(found)


def result(name: str, given: tuple[Record, ...] = (), **changes: object) -> Result:
    points = sum(record.earned for record in given)
    state = Outcome.GRADED if given else Outcome.BROKEN
    settings = {
        "state": state,
        "isolation": Level.BUBBLEWRAP,
        "records": given,
        "files": ("mixed_precision.py",),
    } | changes
    return Result("key", name, LAB.name, points, LAB.points, **settings)


def standings(*results: Result) -> list[Standing]:
    return [Standing(one) for one in results]


@pytest.fixture(scope="module")
def mistake() -> tuple[str, tuple[Record, ...]]:
    """A known mistake that no other looks like: its sentence, and what a submission with it gets."""
    prints = [(one.steps, one.fails) for one in KNOWN]
    for one in KNOWN:
        values = all(" = " in got and "Error" not in got for got in one.fails.values())
        if values and len(one.steps) == 1 and len(one.fails) > 2 and prints.count((one.steps, one.fails)) == 1:
            return one.says, records({test: got.replace("#", "7") for test, got in one.fails.items()})
    raise AssertionError("the bank has such a mistake")


@pytest.fixture(scope="module")
def crowd(mistake: tuple[str, tuple[Record, ...]]) -> list[Standing]:
    """A class with hostile names, and something in every section of its page."""
    lost = {one.id: SCRIPT for one in LAB.behaviours if one.step == FIRST}
    now = [result(name, records(lost, todo_from=3)) for name in HOSTILE]
    now += [result(f"Same {number}", mistake[1]) for number in range(3)]
    now += [result("Perfect", records()), result("Broken", reason=f"holds {SCRIPT}\x1b[2J\nonly")]
    now += [result("Machine", state=Outcome.GRADER_ERROR, reason="no space left")]
    before = [Standing(result("Up", records()), result("Up", records(todo_from=2)))]
    before += [Standing(result("Down", records(todo_from=2)), result("Down", records()))]
    return [*standings(*now), *before]


# Names ------------------------------------------------------------------------------------------------------------


def test_every_submission_has_a_file_name_of_its_own() -> None:
    names = [*HOSTILE, "Zoe", "zoe", "ZOE", "zoe ", "../../etc", "", "con", "a" * 400]
    files = [page_name(name) for name in names]
    assert len(set(map(str.lower, files))) == len(names)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9-]*\.html", file) and len(file) < 70 for file in files)


# Both pages -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pages(crowd: list[Standing]) -> list[str]:
    return [class_page(LAB, crowd), *(student_page(LAB, one.result) for one in crowd)]


def test_pages_need_nothing_and_run_nothing(pages: list[str]) -> None:
    for page in pages:
        elements = Elements(page)
        assert {tag for tag, _ in elements.found} & {"script", "img", "link", "iframe", "object", "embed"} == set()
        assert not [name for _, attributes in elements.found for name in attributes if name.startswith("on")]
        assert "url(" not in page and "@import" not in page and "http:" not in page and "https:" not in page
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", page)
        page.encode("utf-8")


def test_hostile_names_are_text(crowd: list[Standing], pages: list[str]) -> None:
    everyone = Elements(pages[0]).text
    for standing, page in zip(crowd, pages[1:], strict=True):
        name = visible(standing.result.submission)
        assert name in Elements(page).text
        assert name[:25] in everyone


def test_names_lead_to_the_students_pages(crowd: list[Standing], pages: list[str]) -> None:
    links = {one["href"] for one in Elements(pages[0]).all("a") if not one["href"].startswith("#")}
    assert links == {f"students/{page_name(one.result.submission)}" for one in crowd}


def test_equal_results_give_equal_pages(crowd: list[Standing], pages: list[str]) -> None:
    assert [class_page(LAB, crowd), *(student_page(LAB, one.result) for one in crowd)] == pages


@pytest.mark.parametrize("level", [Level.NONE, Level.LIMITS])
def test_weak_isolation_is_said_on_every_page(level: Level) -> None:
    weak = result("A", records(), isolation=level)
    assert f"weak isolation ({level})" in Elements(class_page(LAB, standings(weak, result("B", records())))).text
    assert "weak, the submission could reach files" in Elements(student_page(LAB, weak)).text
    strong = Elements(class_page(LAB, standings(result("B", records())))).text
    assert "graded in isolation bubblewrap" in strong and "weak" not in strong


# A student's page -------------------------------------------------------------------------------------------------


def test_student_reads_what_failed_and_why(mistake: tuple[str, tuple[Record, ...]]) -> None:
    sentence, given = mistake
    text = Elements(student_page(LAB, result("A", given))).text
    lost = [record for record in given if record.state == "failed"]
    assert f"{LAB.points - sum(one.points for one in lost)} of {LAB.points} points" in text
    assert f"This looks like: {sentence.replace('`', '')}" in text
    for record in lost:
        assert record.got in text and record.read in text


def test_what_every_test_prints_is_shown_once() -> None:
    tests = [one.id for one in LAB.behaviours if one.step == FIRST][:3]
    given = [one.but(printed="CUDA is not available" if one.id in tests[:2] else "other")
             for one in records({test: f"{test} = 1" for test in tests}) if one.id in tests]  # fmt: skip
    text = " ".join(Elements(student_page(LAB, result("A", tuple(given)))).text.split())
    assert text.count("CUDA is not available") == 1 and text.count("other") == 1
    assert f"the same as in: {tests[0].removeprefix('test_').replace('_', ' ')}" in text


def test_only_names_of_hidden_tests_are_told() -> None:
    secret = Record(
        LAB.name, "test_of_my_own", FIRST, 5, 0.1, "read", "failed", 0, "GOT", "EXPECTED", "WHY", printed="P!"
    )
    text = Elements(student_page(LAB, result("A", (*records(), secret)))).text
    assert "of my own (hidden)" in text and "0 of 5" in text
    assert not re.search("GOT|EXPECTED|WHY|P!", text)
    assert "Next:" not in text
    room = Elements(class_page(LAB, standings(*(result(name, (*records(), secret)) for name in "AB")))).text
    assert "GOT" not in room and "WHY" not in room


def test_student_whose_file_is_broken_reads_the_reason() -> None:
    broken = Elements(student_page(LAB, result("A", reason="line 3: '(' was never closed"))).text
    assert "What was handed in" in broken and "graded" not in broken.partition("could not be graded")[2]
    assert "It could not be graded: line 3: '(' was never closed" in broken
    failed = Elements(student_page(LAB, result("A", state=Outcome.GRADER_ERROR, reason="no space left"))).text
    assert "no points are lost. no space left" in failed and "of 150 points" not in failed


# The class's page -------------------------------------------------------------------------------------------------


def test_points_are_counted_in_ranges_that_meet() -> None:
    room = Classroom(LAB, standings(result("A", records()), result("B", records(todo_from=1))), KNOWN)
    bars = room.bars()
    assert [bar.low for bar in bars[1:]] == [bar.high + 1 for bar in bars[:-1]]
    assert (bars[0].low, bars[-1].high) == (0, LAB.points)
    assert [bar.count for bar in bars] == [1, *[0] * (len(bars) - 2), 1]


def test_map_has_the_most_points_first_and_a_cell_for_every_step(crowd: list[Standing]) -> None:
    room = Classroom(LAB, crowd, KNOWN)
    assert room.points == sorted(room.points, reverse=True)
    page = class_page(LAB, crowd)
    cells = re.findall(r'<td class="(none|few|some|most|all|unjudged)">(.*?)</td>', page)
    assert len(cells) == len(LAB.steps) * (len(room.students) + 1)
    assert dict(cells)["all"] == "100" and ("none", "0") in cells


def test_late_submissions_are_marked() -> None:
    late = [result("A", records(), late=True), result("B", records()), result("C", reason="no file", late=True)]
    text = Elements(class_page(LAB, standings(*late))).text
    assert re.search(rf"A\s*{LAB.points} late", text) and re.search(rf"B\s*{LAB.points}\s*100", text)
    assert "C late: no file" in text
    assert [row.rpartition(",")[2] for row in grades_csv(late).splitlines()] == ["late", "late", "", "late"]


def test_a_share_is_whole_only_if_it_is() -> None:
    step = LAB.steps[2]
    own = [one for one in LAB.behaviours if one.step == step.number]
    least = min(own, key=lambda one: one.points)
    page = class_page(LAB, standings(result("A", records({least.id: "x = 1"}))))
    worth = sum(one.points for one in own)
    assert f'<td class="most">{round(100 * (worth - least.points) / worth)}</td>' in page
    skipped = tuple(one.but(state="skipped", earned=0, needs="x") if one.step == FIRST else one for one in records())
    assert '<td class="unjudged">\N{EN DASH}</td>' in class_page(LAB, standings(result("A", skipped)))


def test_what_most_misunderstood_comes_with_its_remedy(mistake: tuple[str, tuple[Record, ...]]) -> None:
    sentence, given = mistake
    three = [result(f"S{number}", given) for number in range(3)]
    room = Classroom(LAB, standings(*three, result("Perfect", records())), KNOWN)
    (found,) = room.misunderstood()
    assert found.sentences == (sentence,) and found.surely == three and found.perhaps == []
    text = Elements(class_page(LAB, room.standings)).text
    assert "3 of 4" in text and found.shown_by.why.replace("`", "") in text
    assert f"{LAB.reading}#{found.shown_by.read}" in text
    assert room.unexplained() == []


def test_what_may_follow_from_an_earlier_step_is_no_misunderstanding() -> None:
    """Their trainer is right, and calls a forward of step 1 that is not; what step 4 fails has a cause of its own."""
    first, third, fourth = (next(one for one in KNOWN if one.steps == (step,)
                                 and all(" = " in got and "Error" not in got for got in one.fails.values()))
                            for step in (1, 3, 4))  # fmt: skip
    lost = {test: got.replace("#", "7") for one in (first, third, fourth) for test, got in one.fails.items()}
    room = Classroom(LAB, standings(*(result(name, records(lost)) for name in "AB")), KNOWN)
    assert [one.step.number for one in room.misunderstood()] == [1, 4]
    assert room.unexplained() == []
    text = " ".join(Elements(student_page(LAB, room.results[0])).text.split())
    assert text.count("may follow from it") == 1
    assert re.search(rf"3 {LAB.step(3).title} ?\d+ of \d+ Step 1 is not right yet; this may follow from it\.", text)


def test_a_mistake_that_one_student_made_is_listed(mistake: tuple[str, tuple[Record, ...]]) -> None:
    sentence, given = mistake
    text = Elements(class_page(LAB, standings(result("A", given), result("B", records())))).text
    assert "By one student each" in text and sentence.replace("`", "")[1:] in text
    assert "No known mistake was made by more than one student." in text


@pytest.mark.parametrize(
    ("says", "shown"),
    [
        ("scaled_backward runs inside the region.", "scaled_backward runs inside the region."),
        ("evaluate leaves eval mode on.", "evaluate leaves eval mode on."),
        ("unscale_() comes after clipping.", "unscale_() comes after clipping."),
        ("`if limit:` takes 0.0 for no limit.", "<code>if limit:</code> takes 0.0 for no limit."),
        ("the loss is rebuilt.", "The loss is rebuilt."),
        ("perhaps: scaled_backward runs twice.", "Perhaps: scaled_backward runs twice."),
    ],
)
def test_a_sentence_begins_with_a_capital_letter_but_code_does_not(says: str, shown: str) -> None:
    assert sentence(LAB, says) == shown


def test_what_no_known_mistake_explains_is_grouped_by_what_failed() -> None:
    lost = {one.id: "NoSuchError: 3 frobs" for one in LAB.behaviours if one.step == FIRST}
    given = records(lost, expected="no exception")
    (found,) = Classroom(LAB, standings(result("A", given), result("B", given)), KNOWN).unexplained()
    assert (found.says, len(found.students), len(found.tests)) == ("NoSuchError: # frobs", 2, len(lost))
    assert Classroom(LAB, standings(result("A", given)), KNOWN).unexplained() == []


def test_students_are_stuck_at_the_first_step_that_is_not_complete() -> None:
    lost = {next(one.id for one in LAB.behaviours if one.step == 2): "x = 1"}
    room = Classroom(
        LAB,
        standings(result("A", records(lost, todo_from=4)), result("B", records(todo_from=2)), result("C", records())),
        KNOWN,
    )
    stuck = {step.number: room.stuck(step) for step in LAB.steps}
    names = {what: [one.submission for one in found] for what, found in stuck[2].items()}
    assert names == {"fails tests": ["A"], "not written yet": ["B"]}
    assert not any(found for number in stuck if number != 2 for found in stuck[number].values())
    assert [one.submission for one in room.finished()] == ["C"]


def test_changes_since_the_last_grading() -> None:
    test = LAB.behaviours[0]
    less, full = records({test.id: "x = 1"}), records()
    found = Classroom(
        LAB,
        [
            Standing(result("Up", full), result("Up", less)),
            Standing(result("Down", less), result("Down", full)),
            Standing(result("Same", full), result("Same", full)),
            Standing(result("Now", full), result("Now")),
            Standing(result("New", full)),
        ],
        KNOWN,
    ).changes()
    said = [(one.standing.result.submission, one.points, one.gained, one.lost) for one in found]
    everything = [one.id for one in LAB.behaviours]
    assert said == [
        ("Down", -test.points, [], [test.id]),
        ("Up", test.points, [test.id], []),
        ("Now", LAB.points, everything, []),
    ]


def test_what_the_machinery_cut_short_counts_for_nothing() -> None:
    cut = result("Cut", records(todo_from=2), state=Outcome.GRADER_ERROR, reason="no verdict on test_x")
    room = Classroom(LAB, [Standing(cut, result("Cut", records())), *standings(result("A", records()))], KNOWN)
    assert room.points == [LAB.points] and room.without_verdicts == [cut]
    assert not any(found for step in LAB.steps for found in room.stuck(step).values())
    assert room.changes() == []


def test_a_class_of_nobody_has_a_page() -> None:
    assert "0 submissions" in Elements(class_page(LAB, [])).text
    assert "Broken: no file" in Elements(class_page(LAB, standings(result("Broken", reason="no file")))).text


def test_numbers_are_read_on_every_shade() -> None:
    page = class_page(LAB, [])
    ink = re.search(r"--text: (#\w{6})", page)[1]
    grounds = re.findall(r"\.(?:none|few|some|most|all) \{ background: (#\w{6});", page)
    assert len(grounds) == 5 and all(contrast(ink, ground) >= 7 for ground in grounds)


# In a browser -----------------------------------------------------------------------------------------------------


def test_chromium_shows_the_class_without_scrolling_sideways(tmp_path: Path, pages: list[str], crowd: list) -> None:
    """Nor has a name become an element: the rows of the map and the titles of the page are those that it has."""
    rows = 'document.querySelectorAll(".map tbody tr").length, document.querySelectorAll("script").length'
    graded = sum(bool(one.result.records) for one in crowd)
    assert in_chromium(pages[0], tmp_path, rows) == [[width, width, graded + 1, 1] for width in WIDTHS]


def test_chromium_shows_a_student_without_scrolling_sideways(tmp_path: Path, pages: list[str]) -> None:
    asked = 'document.querySelectorAll("script").length'
    together = "".join(re.search("<body>(.*)</body>", page, re.DOTALL)[1] for page in pages[1 : 1 + len(HOSTILE)])
    page = re.sub("<body>.*</body>", lambda found: f"<body>{together}</body>", pages[1], flags=re.DOTALL)
    assert in_chromium(page, tmp_path, asked) == [[width, width, 1] for width in WIDTHS]


# In a folder ------------------------------------------------------------------------------------------------------


def test_pages_of_a_folder_are_made_from_its_results(tmp_path: Path) -> None:
    """A student has one page, however often they were graded, and every name of the class's page leads to one."""
    for one in (result("A", records(todo_from=2)), result(HOSTILE[0], records()), result("A", records())):
        append(tmp_path, one)
    assert write_pages(LAB, tmp_path, read(tmp_path)) == [tmp_path / "class.html", tmp_path / "students"]
    page = (tmp_path / "class.html").read_text(encoding="utf-8")
    links = [one["href"] for one in Elements(page).all("a") if not one["href"].startswith("#")]
    assert {tmp_path / link for link in links} == set((tmp_path / "students").iterdir())
    assert "1 submission graded again: 0 lost points, 1 gained some." in Elements(page).text
