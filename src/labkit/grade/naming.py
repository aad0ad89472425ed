"""Names that strangers chose: shown so that nothing in them acts, and as names of files."""

import hashlib
import re
import unicodedata

JOINERS = "\u200c\u200d"  # some scripts need them inside words


def visible(text: str) -> str:
    r"""The text on one line, with an escape for every character that acts instead of being seen: "a\x1b[31m".

    Those are control characters, line ends, marks that turn the direction of text, and what is left of bytes that are
    no UTF-8.
    """
    return "".join(_escaped(character) for character in text)


def _escaped(character: str) -> str:
    acts = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and character not in JOINERS
    return character.encode("unicode_escape").decode() if acts else character


def page_name(submission: str) -> str:
    """The name of a submission's page: readable, harmless in any file system, and no other submission's."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", submission)[:40].strip("-").lower()
    digest = hashlib.sha256(submission.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{readable}-{digest}.html".lstrip("-")
