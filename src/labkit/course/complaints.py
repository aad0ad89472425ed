"""Says in a maintainer's words what msgspec found wrong in a manifest: the key, what is wrong, what to write."""

import difflib
import re
from typing import Any

EXAMPLES = {
    "number": "4",
    "title": '"Loss scaling"',
    "stem": '"mixed_precision"',
    "reading": '"docs/05_mixed_precision.md"',
    "goal": '"Train in float16."',
    "minutes": "20",
    "read": '"loss-scaling"',
    "todo": '{ scale = "multiply the loss" }',
    "hints": '["a question?", "the idea", "nearly the code"]',
    "ranks": "2",
    "group": '"joined" or "bare"',
    "seconds": "20",
    "hidden": "true",
    "needs": '["deepspeed"]',
    "first": "true",
    "builds_on": '["mixed_precision"]',
    "builds_on_steps": "[1, 2]",
    "data": '["data/text.txt"]',
    "id": '"test_scale_grows"',
    "step": "1",
    "points": "2",
    "why": '"Small gradients vanish."',
}
TABLES = {"steps": "[[steps]]", "behaviours": "[[behaviours]]"}
TYPES = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "empty",
}


def complaint(message: str, data: dict[str, object]) -> str:
    """The line for msgspec's `message` on the manifest `data`: "steps[2].minutes must be at least 1: minutes = 20"."""
    what, _, place = message.partition(" - at `$")
    path = _path(place.rstrip("`").removeprefix("."), data)
    if unknown := re.search(r"unknown field `(.*)`", what):
        key = unknown[1]
        alike = difflib.get_close_matches(key, [*EXAMPLES, *TABLES], 1)
        return f"{_joined(path, key)} is unknown: remove it{f', or write {alike[0]}' if alike else ''}"
    if missing := re.search(r"missing required field `(.*)`", what):
        return f"{_joined(path, missing[1])} is missing: {_remedy(missing[1])}"
    return f"{path} {_wrong(what)}: {_remedy(path)}"


def _joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _path(place: str, data: dict[str, object]) -> str:
    """The place in the manifest, counted from 1; msgspec does not name the key of a table's value."""
    if place.endswith("[...]"):
        place = place.removesuffix("[...]")
        table: Any = data
        for name, index in re.findall(r"(\w+)|\[(\d+)\]", place):
            table = table[name or int(index)]
        place += "." + next(key for key, value in table.items() if type(value) is not str or not value.strip())
    return re.sub(r"\[(\d+)\]", lambda found: f"[{int(found[1]) + 1}]", place)


def _wrong(what: str) -> str:
    if types := re.match(r"Expected `(.*)`, got `(.*)`", what):
        wanted = " or ".join(TYPES.get(name, name) for name in types[1].split(" | ") if name != "null")
        return f"must be {wanted}, not {TYPES.get(types[2], types[2])}"
    if length := re.match(r"Expected `(\w+)` of length (>=|<=) (\d+)", what):
        return f"must have {'at least' if length[2] == '>=' else 'at most'} {length[3]}"
    if limit := re.match(r"Expected `\w+` (>=|<=|>|<) (\S+)", what):
        words = {">=": "at least", "<=": "at most", ">": "above", "<": "below"}
        return f"must be {words[limit[1]]} {limit[2].removesuffix('.0')}"
    if value := re.match(r"Invalid enum value (.*)", what):
        return f"must not be {value[1]}"
    return "must begin with test_" if "test_" in what else "must not be blank"


def _remedy(path: str) -> str:
    """What to write for the key that `path` ends with."""
    key = re.sub(r"\[\d+\]$", "", path.partition(".todo")[0] + ".todo" if ".todo" in path else path).rpartition(".")[2]
    return f"write {TABLES[key]} and its keys below" if key in TABLES else f"for example {key} = {EXAMPLES[key]}"
