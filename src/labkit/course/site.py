"""Where the site is that `make site` builds, and the address of a page in it."""

from pathlib import Path

SITE = "build/site"


def address(link: str, root: Path) -> str:
    """The address of `link`, a path with a #heading, on the site of the course at `root`; "" if it has no such page.

    It is a file's, so that a browser opens it whether or not `make site-open` runs.
    """
    page, _, heading = link.partition("#")
    file = (root / SITE / page).with_suffix(".html")
    return f"{file.resolve().as_uri()}#{heading}" if file.is_file() else ""
