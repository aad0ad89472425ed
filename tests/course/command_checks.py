"""Says which commands of a page name something that does not exist, and runs those that the page marks.

Checked: ```bash, ```sh and ```console blocks (there the lines after "$ "), and commands in inline code.
A target has to be in the Makefile, a file in the repository, an option in the program's --help.
"""

import functools
import importlib.util
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

from page_checks import ROOT, Page
from warm_python import ENVIRONMENT, python


def commands(page: Page) -> Iterator[list[str]]:
    """Each command on the page as a list of words, without variables before it and redirections after it."""
    shell = [block.text for block in page.blocks if block.language in {"bash", "sh"}]
    consoles = [block.text for block in page.blocks if block.language == "console"]
    shell += [line for text in consoles for line in re.findall(r"^\$ (.*)$", text, re.MULTILINE)]
    shell += [code for code in page.code if re.match(r"(make|pytest|torchrun|(\S*/)?python3?) ", code)]
    for line in "\n".join(shell).replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|<>()")
        lexer.whitespace_split = True
        command: list[str] = []
        for word in [*lexer, ";"]:
            if word in {";", "&&", "||", "|", "&", "(", ")"}:
                if command:
                    yield command
                command = []
            elif command or not re.fullmatch(r"\w+=.*", word):
                command.append(word)


def unknown_commands(page: Page) -> list[str]:
    """Each thing that a command of the page names and that does not exist: a target, a file, a module, an option."""
    return [f"`{shlex.join(words)}`: {problem}" for words in commands(page) for problem in check(words)]


PYTEST = ("-m", "pytest", "-p", "no:cacheprovider")
TORCHRUN = ("-m", "torch.distributed.run")
COMMANDS = ("labkit", "pip")  # modules that are run with a command: python -m labkit experiment


def check(words: list[str]) -> Iterator[str]:
    program, *rest = words
    name = Path(program).name
    if name == "make":
        yield from check_make(rest)
    elif name == "pytest":
        yield from check_pytest(rest)
    elif name == "torchrun":
        yield from check_torchrun(rest)
    elif re.fullmatch(r"python(3(\.\d+)?)?", name):
        yield from check_python(rest)


def check_make(words: list[str]) -> Iterator[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8") if (ROOT / "Makefile").exists() else ""
    rules = re.findall(r"^([\w.%/ -]+?)\s*:(?![:=])", makefile, flags=re.MULTILINE)
    targets = [re.escape(target).replace("%", ".+") for rule in rules for target in rule.split()]
    for word in words:
        variable = re.match(r"(\w+)=", word)
        if variable and not re.search(rf"\b{variable[1]}\b", makefile):
            yield f"the Makefile reads no {variable[1]}"
        elif not variable and not word.startswith("-") and not any(re.fullmatch(t, word) for t in targets):
            yield f"the Makefile has no target {word}"


def check_python(words: list[str]) -> Iterator[str]:
    if words[:1] == ["-c"]:
        compile(words[1], "<-c>", "exec")
    elif words[:2] == ["-m", "pytest"]:
        yield from check_pytest(words[2:])
    elif words[0] == "-m" and words[1] in COMMANDS:
        command = [word for word in words[2:3] if not word.startswith("-")]
        program = ("-m", words[1], *command)
        if options_of(program):
            yield from check_options(words[2:], program)
        else:
            yield f"python {' '.join(program)} --help fails"
    elif words[0] == "-m":
        if importlib.util.find_spec(words[1].split(".")[0]) is None:
            yield f"no module {words[1]}"
    elif words and not words[0].startswith("-"):
        yield from check_script(words)


def check_script(words: list[str]) -> Iterator[str]:
    if not (ROOT / words[0]).is_file():
        yield f"no file {words[0]}"
    else:
        yield from check_options(words[1:], (words[0],))


def check_torchrun(words: list[str]) -> Iterator[str]:
    script = next((i for i, word in enumerate(words) if word.endswith(".py")), len(words))
    yield from check_options(words[:script], TORCHRUN)
    if script < len(words):
        yield from check_script(words[script:])


def check_pytest(words: list[str]) -> Iterator[str]:
    yield from check_options(words, PYTEST)
    for word in words:
        if (
            re.match(r"(tests|labs|src|solutions)/|[\w/]+\.py(::|$)", word)
            and not (ROOT / word.split("::")[0]).exists()
        ):
            yield f"no file {word}"


def check_options(words: list[str], program: tuple[str, ...]) -> Iterator[str]:
    for word in words:
        option = re.match(r"--[\w-]+|-[a-zA-Z]", word)
        if option and option[0] not in options_of(program):
            yield f"{' '.join(program)} --help knows no {option[0]}"


@functools.cache
def options_of(program: tuple[str, ...]) -> frozenset[str]:
    """Every option in the help of `python PROGRAM`; none if there is no such program."""
    shown = python(*program, "--help")
    if shown.code:
        return frozenset()
    options = re.findall(r"(?<![\w-])(--[a-zA-Z][\w-]*|-[a-zA-Z])(?![\w-])", shown.out)
    return frozenset({*options, "--help", "-h"})


def failed_runs(page: Page) -> list[str]:
    """Each ```bash run block of the page that does not succeed. `make help` is fine, other targets would recurse."""
    problems = []
    for block in (block for block in page.blocks if block.mark == "run"):
        if re.search(r"\bmake\b(?! help)", block.text):
            problems.append(f"{page.path}:{block.line}: a block that runs may call no make but `make help`")
            continue
        script = ["bash", "-euo", "pipefail", "-c", block.text]
        ran = subprocess.run(script, capture_output=True, text=True, cwd=ROOT, env=ENVIRONMENT, timeout=60)
        if ran.returncode:
            problems.append(f"{page.path}:{block.line}: exit code {ran.returncode}: {ran.stderr[-500:]}")
    return problems
