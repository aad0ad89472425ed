"""Looks at an HTML page: its elements and text, and what Chromium makes of it."""

import html
import html.parser
import json
import re
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WIDTHS = (360, 1280)
THEMES = {"light": 1, "dark": 0}  # Blink's numbers
HOST = """<!doctype html><style>:root { color-scheme: light dark }</style><title></title><script>
const seen = []; addEventListener("message", event => { seen.push(event.data); document.title = JSON.stringify(seen) })
</script>"""  # with a frame for each width: a window of Chromium is at least 500 wide


class Elements(html.parser.HTMLParser):
    """Every element of a page as (tag, attributes), and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]


def in_chromium(page: str, folder: Path, asked: str, theme: str = "light") -> list[list[Any]]:
    """For each of `WIDTHS`: the width, how wide the page is, and what the JavaScript expression `asked` gives.

    Everything that folds is open. Skips the test, with a warning, where there is no Chromium.
    """
    if CHROMIUM is None:
        warnings.warn("no Chromium here: nobody has seen the page in a browser", stacklevel=2)
        pytest.skip("no Chromium; .ci/run installs it")
    measure = f"""<script>addEventListener("load", () => parent.postMessage(
    [innerWidth, document.documentElement.scrollWidth, {asked}], "*"))</script>"""
    open_page = re.sub("<meta http-equiv.*?>", "", page.replace("<details", "<details open"))
    (folder / "page.html").write_text(open_page + measure, encoding="utf-8")
    frames = "".join(f'<iframe src="page.html" width="{width}" height="800"></iframe>' for width in WIDTHS)
    (folder / "host.html").write_text(HOST + frames)
    command = [CHROMIUM, "--headless", "--no-sandbox", "--hide-scrollbars", f"--user-data-dir={folder / 'profile'}"]
    command += [f"--blink-settings=preferredColorScheme={THEMES[theme]}", "--virtual-time-budget=5000", "--dump-dom"]
    ran = subprocess.run([*command, (folder / "host.html").as_uri()], capture_output=True, text=True, timeout=60)
    title = re.search(r"<title>(.*?)</title>", ran.stdout)
    assert title and title[1], ran.stderr[-1000:]
    return sorted(json.loads(html.unescape(title[1])))


def contrast(one: str, other: str) -> float:
    """Of two colours "#rrggbb", as WCAG 2.2 defines it."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
