"""The report is one page that needs nothing beside it, whatever the student's file does; looked at in Chromium."""

import re
from pathlib import Path

import pytest
from browser import WIDTHS, Elements, contrast, in_chromium
from commandline import SOLUTION
from page_checks import ROOT
from small_course import STUBS, small_course

from labkit.course import manifest
from labkit.course.errors import LabError
from labkit.course.manifest import Behaviour, Lab
from labkit.course.records import Record
from labkit.experiments import running
from labkit.report import page as pages
from labkit.report import parts
from labkit.report.parts import Measured

LAB = manifest.find("lab04")
PARTS = {part.name: part for part in parts.declared(LAB)}
NASTY = '<script>alert("1")</script><img src="http://example.org/x.png">'
GROUNDS = {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 24, 29)"}


def record(behaviour: Behaviour, state: str) -> Record:
    earned = behaviour.points if state == "passed" else 0
    base = Record(LAB.name, behaviour.id, behaviour.step, behaviour.points, 0.1, LAB.reading, state, earned)
    if state == "todo":
        return base.but(needs=f"Step {behaviour.step}: {next(iter(LAB.step(behaviour.step).todo))}")
    return base.but(got=NASTY, expected="long" * 300, why="a & b") if state == "failed" else base


def records(**states: str) -> list[Record]:
    """A record for every behaviour; `step2="failed"` says what those of step 2 are, else they have passed."""
    return [record(behaviour, states.get(f"step{behaviour.step}", "passed")) for behaviour in LAB.behaviours]


@pytest.fixture(scope="module")
def page() -> str:
    """A page with something of every kind; its one figure is measured."""
    wide = {"title": "Wide", "rows": [["Format", "Memory"], ["fp32", f"{'0 ' * 200}\nsecond line"]]}
    measured = [
        Measured(PARTS["banner"], {"title": "Milestone!", "lines": [["Precision", "float16"]]}, "with src"),
        Measured(PARTS["comparison"], {"tables": [wide]}, "with src"),
        Measured(PARTS["accumulate"], parts.measured(LAB, "accumulate", SOLUTION), "with the reference solution"),
        Measured(PARTS["underflow"], None, f"could not be measured: {NASTY}"),
    ]
    return pages.page(LAB, SOLUTION, records(step2="failed", step4="todo"), measured, ROOT / "reports")


# The page ---------------------------------------------------------------------------------------------------------


def test_page_needs_nothing_beside_it(page: str) -> None:
    elements = Elements(page)
    assert {tag for tag, _ in elements.found} & {"script", "link", "iframe", "object", "embed", "base"} == set()
    for _, attributes in elements.found:
        for name in {"src", "srcset", "data", "poster"} & attributes.keys():
            assert attributes[name].startswith("data:image/svg+xml;base64,")
    assert "url(" not in page and "@import" not in page


def test_links_land(page: str) -> None:
    elements = Elements(page)
    ids = {attributes["id"] for _, attributes in elements.found if "id" in attributes}
    for link in (attributes["href"] for attributes in elements.all("a")):
        path, _, anchor = link.partition("#")
        assert (ROOT / "reports" / path).resolve().is_file() if path else anchor in ids


def test_what_a_student_wrote_is_text(page: str) -> None:
    assert "<script" not in page and "example.org/x.png" in page
    assert Elements(page).text.count(NASTY) == 1 + sum(one.step == 2 for one in LAB.behaviours)


def test_page_says_how_every_behaviour_stands(page: str) -> None:
    text = Elements(page).text
    for behaviour in LAB.behaviours:
        assert behaviour.id.removeprefix("test_").replace("_", " ") in text
    count = {step.number: sum(one.step == step.number for one in LAB.behaviours) for step in LAB.steps}
    assert f"{count[2]} failed" in text and f"{count[4]} todo" in text
    assert "Next: step 2, fix what test_scaler_takes" in text


def test_figure_has_both_themes_and_says_what_it_shows(page: str) -> None:
    elements = Elements(page)
    (image,), (dark,) = elements.all("img"), elements.all("source")
    assert dark["media"] == "screen and (prefers-color-scheme: dark)" and dark["srcset"] != image["src"]
    assert image["alt"].startswith("Of 65.54 the fp16 sum reaches 4")
    assert image["alt"] in elements.text
    assert "Not here: underflow could not be measured: <script>" in elements.text


def test_what_gave_no_verdict_costs_no_points() -> None:
    """A package that is missing, and a failure of the machinery, are said as such."""
    found = records(step2="passed")
    at = next(index for index, one in enumerate(found) if one.step == 2)
    found[at] = found[at].but(state="grader_error", earned=0, got="no loopback")
    found = [one.but(state="skipped", earned=0, needs="deepspeed") if one.step == 5 else one for one in found]
    text = Elements(pages.page(LAB, SOLUTION, found, [], ROOT / "reports")).text
    skipped, broken = sum(one.points for one in found if one.step == 5), found[at].points
    worth = LAB.points - skipped - broken
    assert f"{worth} of {worth} points" in text
    assert f"{skipped} more with deepspeed" in text and ".venv/bin/pip install deepspeed" in text
    assert f"{broken} more: the course's own machinery failed" in text
    assert "The course's own machinery failed here: no loopback It is not your fault" in text


def test_a_figure_is_a_part_of_every_lab_that_declares_one() -> None:
    """The page knows kinds of parts, and no part by its name."""
    generic = [Path(pages.__file__), Path(parts.__file__), Path(pages.__file__).with_name(pages.TEMPLATE)]
    assert not [path for path in generic if re.search("banner|comparison|mixed", path.read_text(encoding="utf-8"))]
    figures = [name for name, part in PARTS.items() if part.kind == parts.Kind.FIGURE]
    assert figures == running.names(LAB) and all(PARTS[name].measure is None for name in figures)


@pytest.mark.parametrize("number", [0, 1], ids=["light", "dark"])
def test_text_stands_out(page: str, number: int) -> None:
    """WCAG AA: a contrast of 4.5 for text, on both grounds of either theme."""
    colours = dict(re.findall(r"--(\w+): (#\w{6})", re.findall(r":root \{(.*?)\}", page, re.DOTALL)[number]))
    for ground in ("ground", "raised"):
        for ink in ("text", "quiet", "link", "good", "bad", "open"):
            assert contrast(colours[ground], colours[ink]) >= 4.5, (ground, ink)


# What is measured with what ---------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path]]:
    """What was asked of which file: that of src gives an error, the reference an answer."""
    calls = []

    def ask(lab: Lab, name: str, file: Path) -> tuple[dict | None, str]:
        calls.append((name, file.parent.name))
        return ({"title": name}, "") if file == SOLUTION else (None, "TypeError: no")

    monkeypatch.setattr(parts, "ask", ask)
    return calls


STUDENT = ROOT / "src" / "mixed_precision.py"


def test_parts_that_need_a_step_are_left_out(asked: list) -> None:
    part = pages.measured(LAB, STUDENT, records(step2="failed", step3="todo"), PARTS["banner"])
    assert part == Measured(PARTS["banner"], None, "needs step 2 (Loss scaling) and step 3 (The trainer)")
    assert asked == []


def test_parts_that_need_a_missing_package_say_which(asked: list) -> None:
    found = [one.but(state="skipped", needs="deepspeed") if one.step == 5 else one for one in records()]
    part = pages.measured(LAB, STUDENT, found, PARTS["bytes-per-rank"])
    assert part == Measured(PARTS["bytes-per-rank"], None, "needs deepspeed, not installed here")
    assert asked == []


def test_figures_that_need_a_step_come_from_the_reference(asked: list) -> None:
    part = pages.measured(LAB, STUDENT, records(step4="todo"), PARTS["sensitive"])
    assert asked == [("sensitive", "solutions")] and part.data
    assert part.note.endswith("(with src/mixed_precision.py it needs step 4 (Precision-sensitive operations))")


def test_figures_whose_measurement_fails_come_from_the_reference(asked: list) -> None:
    part = pages.measured(LAB, STUDENT, records(), PARTS["memory"])
    assert asked == [("memory", "src"), ("memory", "solutions")] and part.data
    assert (
        part.note == "with the reference solution (with src/mixed_precision.py it could not be measured: TypeError: no)"
    )


def test_every_step_that_an_experiment_uses_is_asked_for() -> None:
    owner = {function.partition(".")[0]: step.number for step in LAB.steps for function in step.todo}
    for name in running.names(LAB):
        source = (LAB.paths.kit / "experiments" / f"{name.replace('-', '_')}.py").read_text(encoding="utf-8")
        used = {owner[function] for function in re.findall(r"\blab\.(\w+)", source) if function in owner}
        assert used <= set(PARTS[name].needs), name


def test_code_that_raises_or_hangs_gives_a_reason(tmp_path: Path) -> None:
    file = tmp_path / "mixed_precision.py"
    file.write_text("raise KeyError('no\\nsuch')\n")
    data, why = parts.ask(LAB, "banner", file)
    assert data is None and why.startswith(f"{file}, line 1: ") and "KeyError" in why
    assert parts.ask(LAB, "banner", file, limit=0.05) == (None, "no answer within 0.05 s")


def test_unknown_part_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="--only speeed: there is no such part; there is banner, comparison, accumulate"):
        pages.write_report(LAB, "solutions", tmp_path, ["speeed"])
    assert list(tmp_path.iterdir()) == []


# The command ------------------------------------------------------------------------------------------------------


def test_unfinished_file_has_a_page_and_a_broken_one_a_line(tmp_path: Path) -> None:
    """And a line is all that a broken file gives: the page of before stays."""
    course = small_course(tmp_path)
    course.file.write_text(STUBS.replace('NotImplementedError("Step 1: double")', f"ValueError({NASTY!r})"))
    ran = course.labkit("report", "lab07", TORCH="yes")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == ["testing src/tiny.py", "written: reports/lab07.html"]
    page = (course.root / "reports" / "lab07.html").read_text(encoding="utf-8")
    text = Elements(page).text
    assert f"ValueError: {NASTY}" in text and "1 todo" in text and "<script" not in page
    course.file.write_text("x = (\n")
    ran = course.labkit("report", "lab07", TORCH="yes")
    assert ran.code == 1
    assert ran.err.splitlines() == ["labkit: no report: fix src/tiny.py, line 1: '(' was never closed: x = ("]
    assert (course.root / "reports" / "lab07.html").read_text(encoding="utf-8") == page


def test_a_kit_that_raises_at_import_is_a_line_of_its_lab_alone(tmp_path: Path) -> None:
    course = small_course(tmp_path)
    kit = course.root / "src" / "labkit" / "labs" / "tiny"
    kit.mkdir()
    (kit / "report.py").write_text("raise KeyError('no such')\n")
    ran = course.labkit("report", "lab07", TORCH="yes")
    line = f"{kit / 'report.py'}: lab07's own code fails: KeyError: 'no such'"
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == ["testing src/tiny.py", line, "written: reports/lab07.html"]
    assert line in Elements((course.root / "reports" / "lab07.html").read_text(encoding="utf-8")).text
    (kit / "commands.py").write_text("raise KeyError('no such')\n")
    course.file.write_text("import labkit.labs.tiny.commands\n")
    for alone in (("run", "lab07"), ("run", "lab07", "--nproc", "2")):
        ran = course.labkit(*alone, TORCH="yes")
        assert ran.code == 1
        assert ran.err.splitlines()[-1] == f"labkit: {kit / 'commands.py'}: lab07's own code fails: KeyError: 'no such'"


# In a browser -----------------------------------------------------------------------------------------------------

ASKED = """getComputedStyle(document.body).backgroundColor,
document.querySelector("img").currentSrc === document.querySelector("source").srcset"""


@pytest.mark.parametrize("theme", GROUNDS)
def test_chromium_shows_it_without_scrolling_sideways(tmp_path: Path, page: str, theme: str) -> None:
    seen = in_chromium(page, tmp_path, ASKED, theme)
    assert seen == [[width, width, GROUNDS[theme], theme == "dark"] for width in WIDTHS]
