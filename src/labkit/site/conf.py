"""Sphinx reads this: `make site`. The pages are the course's own Markdown; what is added to them is in `setup`."""

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment

from labkit.course import pages
from labkit.site import contents, maths, terms

# Pages and their addresses ------------------------------------------------------------------------------------------

extensions = ["myst_parser", "sphinx_copybutton", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
root_doc = contents.ROOT_PAGE
include_patterns = ["*.md", "docs/*.md", "labs/*/*.md"]
myst_heading_anchors = 6  # as on GitHub
# Markdown of GitHub that is not CommonMark.
myst_enable_extensions = ["dollarmath", "attrs_inline"]
myst_fence_as_directive = ["math"]
myst_dmath_allow_space = False
myst_dmath_allow_digits = False

# A figure has two files. GitHub shows one by what the reader's system says, this site by its own switch too.
PICTURE = re.compile(r'<picture><source .* srcset="(.*?)">(!\[.*\])\((.*)\)</picture>')

# Docstrings ---------------------------------------------------------------------------------------------------------

default_role = "code"  # `x` in a docstring is code
autodoc_inherit_docstrings = False  # torch explains forward once more for every module
autodoc_member_order = "bysource"
add_module_names = False  # the heading names the module
autodoc_preserve_defaults = True
maximum_signature_line_length = 80

# Looks --------------------------------------------------------------------------------------------------------------

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
html_permalinks_icon = "#"
copybutton_exclude = ".linenos, .gp, .go"  # prompts and output of a console
copybutton_prompt_text = "$ "


def setup(app: Sphinx) -> dict[str, Any]:
    maths.setup(app)
    app.add_config_value("meanings", {}, "html")  # where the glossary changes, every page is written again
    app.connect("config-inited", _read_course)
    app.connect("env-get-outdated", _changes_with_others)
    app.connect("source-read", _add_to_page)
    app.connect("doctree-read", _anchors_of_github)
    app.connect("doctree-resolved", _glossary_tips)
    app.connect("autodoc-skip-member", _without_words)
    app.connect("build-finished", _first_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _read_course(app: Sphinx, config: Config) -> None:
    root = Path(app.srcdir)
    config.project = pages.title((root / f"{root_doc}.md").read_text(encoding="utf-8"))
    config.html_title = config.project
    glossary = root / f"{contents.GLOSSARY}.md"
    config.meanings = terms.meanings(glossary.read_text(encoding="utf-8")) if glossary.is_file() else {}


def _changes_with_others(app: Sphinx, env: BuildEnvironment, *changes: set[str]) -> list[str]:
    """These pages depend on which others there are, and on which modules."""
    return [name for name in (root_doc, contents.TOOLBOX) if name in env.found_docs]


def _add_to_page(app: Sphinx, name: str, source: list[str]) -> None:
    root = Path(app.srcdir)
    source[0] = PICTURE.sub(r"\2(\3){.only-light}\2(\1){.only-dark}", source[0])
    if name == root_doc:
        source[0] += contents.toctrees(contents.contents(root, set(app.env.found_docs)))
    if name == contents.TOOLBOX:
        source[0] += contents.toolbox(root)


def _anchors_of_github(app: Sphinx, page: nodes.document) -> None:
    """Failure texts and links from outside name a heading as GitHub does; docutils has names of its own."""
    for section in page.findall(nodes.section):
        if (slug := section.get("slug")) and slug not in section["ids"]:
            section["ids"].append(slug)
    if app.env.docname == contents.GLOSSARY:
        terms.mark_rows(page)


def _glossary_tips(app: Sphinx, page: nodes.document, name: str) -> None:
    order = contents.contents(Path(app.srcdir), set(app.env.found_docs))
    if app.config.meanings and name != contents.GLOSSARY and name in order[contents.LABS] + order[contents.SHARED]:
        terms.link(page, app.config.meanings, app.builder.get_relative_uri(name, contents.GLOSSARY))


def _without_words(app: Sphinx, kind: str, name: str, member: object, skip: bool, options: Any) -> bool | None:
    """The fields of a NamedTuple have no docstring but Python's own; the class explains them."""
    return True if (member.__doc__ or "").startswith("Alias for field number") else None


def _first_page(app: Sphinx, error: Exception | None) -> None:
    """A server shows index.html; the course's first page is its README."""
    if error is None:
        page = f'<!doctype html><meta charset="utf-8"><title>{app.config.project}</title>'
        page += f'<meta http-equiv="refresh" content="0; url={root_doc}.html">'
        (Path(app.outdir) / "index.html").write_text(page, encoding="utf-8")
