"""`make site` makes a site of every page, which loads nothing from elsewhere; failures and `make status` lead to it."""

import contextlib
import importlib.util
import re
import shlex
import socket
import urllib.parse
import warnings
from pathlib import Path

import pytest
from browser import Elements
from commandline import Finished
from page_checks import ROOT
from small_course import WRONG, Course, small_course
from warm_python import ENVIRONMENT, python

from labkit.course import manifest, pages
from labkit.course.site import SITE, address

NEEDED = ("sphinx", "myst_parser", "furo", "sphinx_copybutton", "latex2mathml")
LOADS = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "object": "data"}
MAKES = re.search(r"-m (sphinx .*?) \|\|", (ROOT / "Makefile").read_text(encoding="utf-8"))[1]
README = """\
# Tiny

Twice $x^2$, a *half* and Half again. [The lab](labs/lab07_tiny/README.md)

<details><summary>Answer</summary>

```python
print(1)
```

</details>
"""
GLOSSARY = "# Glossary\n\n| Term | Meaning |\n|---|---|\n| half, fp16 | A [16-bit](../README.md) `format`. |\n"


@pytest.fixture(scope="module")
def sphinx() -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        warnings.warn(f"{missing[0]} is not installed: the site was not built", stacklevel=2)
        pytest.skip(f"{missing[0]} is not installed; make site installs it")


def build(course: Path, out: Path) -> Finished:
    """Makes the course's site in `out`, as `make site` makes it."""
    options = MAKES.replace("build/doctrees", str(out / "doctrees")).replace(SITE, str(out / SITE))
    environment = ENVIRONMENT | {"PYTHONPATH": str(course / "src")}
    return python("-m", *shlex.split(options), cwd=course, environment=environment, limit=300)


# The site of this course ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(sphinx: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Elements]:
    """Every page of the site by its name."""
    out = tmp_path_factory.mktemp("site")
    done = build(ROOT, out)
    assert (done.code, done.out + done.err) == (0, "")
    found = (out / SITE).rglob("*.html")
    return {path.relative_to(out / SITE).as_posix(): Elements(path.read_text(encoding="utf-8")) for path in found}


def markdown() -> list[str]:
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("labs/*/*.md")]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def ids(page: Elements) -> set[str]:
    return {attributes["id"] for _, attributes in page.found if "id" in attributes}


def html(page: str) -> str:
    return f"{page.removesuffix('.md')}.html"


@pytest.mark.timeout(400)
def test_every_page_is_reached_from_the_one_before(site: dict[str, Elements]) -> None:
    reached, page = ["README.html"], "README.html"
    while onward := [link for link in site[page].all("a") if link.get("class") == "next-page"]:
        page = urllib.parse.urljoin(page, onward[0]["href"])
        assert page not in reached
        reached.append(page)
    assert sorted(reached) == sorted(map(html, markdown()))
    assert "searchindex.js" in str(site["search.html"].all("script"))


@pytest.mark.timeout(400)
def test_nothing_is_loaded_from_elsewhere(site: dict[str, Elements]) -> None:
    loaded = [
        (name, attributes[LOADS[tag]])
        for name, page in site.items()
        for tag, attributes in page.found
        if tag in LOADS and LOADS[tag] in attributes
    ]
    assert len(loaded) > len(site)
    assert [one for one in loaded if re.match(r"(https?:)?//", one[1])] == []


@pytest.mark.timeout(400)
def test_headings_have_the_anchors_of_github(site: dict[str, Elements]) -> None:
    """So every `read` of a manifest, and every link from outside, lands on the site too."""
    missing = [
        f"{page}#{anchor}"
        for page in markdown()
        for anchor, _ in pages.headings((ROOT / page).read_text(encoding="utf-8"))
        if anchor not in ids(site[html(page)])
    ]
    assert missing == []
    for lab in manifest.load_all():
        assert {part.read for part in (*lab.steps, *lab.behaviours)} <= ids(site[html(lab.reading)])


@pytest.mark.timeout(400)
def test_the_toolbox_is_explained_by_its_docstrings(site: dict[str, Elements]) -> None:
    assert {"labkit.toolbox.models.SmallCNN", "labkit.toolbox.measure.step_memory"} <= ids(site["docs/toolbox.html"])


# A small one ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def course(tmp_path: Path) -> Course:
    found = small_course(tmp_path / "course")
    (found.root / "README.md").write_text(README)
    (found.root / "docs" / "glossary.md").write_text(GLOSSARY)
    return found


@pytest.mark.usefixtures("sphinx")
def test_maths_answers_and_terms_are_rendered(course: Course, tmp_path: Path) -> None:
    (course.root / "docs" / "07_tiny.md").write_text(
        f"{README.replace('labs/', '../labs/')}\n## Doubling\n\n## Halving\n"
    )
    done = build(course.root, tmp_path)
    assert (done.code, done.out + done.err) == (0, "")
    page = Elements(text := (tmp_path / SITE / "docs" / "07_tiny.html").read_text())
    assert [tag for tag, _ in page.found if tag in ("math", "msup")] == ["math", "msup"]
    assert re.search(r'<details><summary>Answer</summary>\s*<div class="highlight-python.*?</details>', text, re.DOTALL)
    (term,) = [link for link in page.all("a") if "term" in link.get("class", "").split()]
    assert (term["title"], term["href"]) == ("A 16-bit format.", "glossary.html#term-half")
    assert {"term-half", "term-fp16"} <= ids(Elements((tmp_path / SITE / "docs" / "glossary.html").read_text()))


@pytest.mark.usefixtures("sphinx")
def test_broken_links_fail_and_are_named(course: Course, tmp_path: Path) -> None:
    targets = ["nowhere.md", "docs/07_tiny.md#tripling", "#nothing"]
    (course.root / "README.md").write_text(README + "".join(f"\n[x]({target})\n" for target in targets))
    done = build(course.root, tmp_path)
    assert done.code != 0
    told = [line for line in done.err.splitlines() if "README.md" in line]
    assert len(told) == len(done.err.splitlines()) == len(targets)
    assert all(target.rpartition("#")[2] in "".join(told) for target in targets)


# The way to it -------------------------------------------------------------------------------------------------------


def with_site(course: Course) -> str:
    """Puts a page of a site there; the start of its address."""
    page = course.root / SITE / "docs" / "07_tiny.html"
    page.parent.mkdir(parents=True)
    page.touch()
    return f"file://{urllib.parse.quote(str(page))}#"


def test_an_address_is_that_of_a_page_that_is_there(course: Course) -> None:
    assert address("docs/07_tiny.md#doubling", course.root) == ""
    start = with_site(course)
    assert address("docs/07_tiny.md#doubling", course.root) == f"{start}doubling"
    assert address("docs/08_other.md#doubling", course.root) == ""


def test_failures_and_status_lead_to_the_page(course: Course) -> None:
    course.file.write_text(WRONG)
    suite = ("-m", "pytest", "-q", "tests/test_tiny.py", "-p", "no:cacheprovider")
    commands = (course.run, suite), (course.labkit, ("status",)), (course.labkit, ("explain", "lab07"))
    before = [run(*arguments).out for run, arguments in commands]
    start = with_site(course)
    after = [run(*arguments).out for run, arguments in commands]
    assert "file:" not in "".join(before)
    for said in after:
        others = [line for line in said.splitlines() if line.strip() != f"{start}doubling"]
        assert len(others) < len(said.splitlines())
        assert [line for line in others if "file:" in line or len(line) > 80] == []


def test_without_a_site_there_is_nothing_to_open(course: Course) -> None:
    ran = course.labkit("site-open")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"labkit: there is no site in {SITE}; make site builds it\n"


def test_a_port_in_use_is_named(course: Course) -> None:
    (course.root / SITE).mkdir(parents=True)
    (course.root / SITE / "index.html").touch()
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        ran = course.labkit("site-open", "--port", str(port))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(f"labkit: port {port} cannot be used (Address already in use); name another: make")
    assert len(ran.err.splitlines()) == 1
