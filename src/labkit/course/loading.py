"""Loads a lab file by its path, under a module name of its own, and tells in one line why it cannot."""

import importlib.util
import linecache
import re
import sys
import traceback
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType

from labkit.course.errors import LabError
from labkit.course.manifest import ROOT, load

LOADING = 20.0  # seconds to import a lab file
BEFORE: dict[str, CodeType] = {}  # what another process has compiled for this one, by the file's path
IMPLEMENTATION = "labkit_implementation_"  # how the names of loaded lab files begin


def implementation_path(impl: str, stem: str, root: Path) -> Path:
    """The file that `--impl` means: "src", "solutions", or a folder that holds `<stem>.py`.

    Raises:
        LabError: there is no such folder or file.
    """
    folder = root / impl if impl in ("src", "solutions") else Path(impl)
    path = folder / f"{stem}.py"
    if impl == "solutions" and not folder.is_dir():
        raise LabError("this copy of the course has no solutions: only your teacher has them")
    if not folder.is_dir():
        raise LabError(f"--impl {impl}: there is no folder {folder}; give src, solutions or a folder with {stem}.py")
    if not path.is_file():
        raise LabError(f"--impl {impl}: the folder holds no {stem}.py; name your file so, or give another folder")
    return path.resolve()


def load_implementation(
    path: Path, overlay: Path | None = None, builds_on: tuple[str, ...] | None = None
) -> ModuleType:
    """The module at `path`; `overlay`, a file of replacements, is run on top of it in the same namespace.

    The labs with the stems `builds_on`, by default those that its manifest names, are loaded first, from the same
    folder, and found by the file's own imports.

    Raises:
        LabError: a syntax error, or anything raised while the file was imported; names the line.
    """
    for stem in _builds_on(path.stem) if builds_on is None else builds_on:
        built_on = path.with_name(f"{stem}.py")
        if not built_on.is_file():
            raise LabError(f"{path} builds on {stem}.py, which {path.parent} does not have: put it there too")
        sys.modules[stem] = load_implementation(built_on)
    name = f"{IMPLEMENTATION}{path.stem}"
    module = importlib.util.module_from_spec(ModuleSpec(name, loader=None, origin=str(path)))
    module.__file__ = str(path)
    sys.modules[name] = module  # dataclasses and pickling look their module up
    for file in filter(None, (path, overlay)):
        _execute(file, module)
    return module


def _builds_on(stem: str) -> tuple[str, ...]:
    """What the manifest of the lab with this stem says; nothing for a file that belongs to no lab."""
    return tuple(name for path in ROOT.glob(f"labs/lab[0-9][0-9]_{stem}/lab.toml") for name in load(path).builds_on)


def line_in_implementation(error: BaseException) -> str:
    """Where `error` passed through any loaded lab file, innermost: "line 12: text"; "" if through none."""
    files = [
        frame.f_code.co_filename
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__", "")).startswith(IMPLEMENTATION)
    ]
    return line_in(files[-1], error) if files else ""


def line_in(path: str, error: BaseException) -> str:
    """Where `error` passed through the file at `path`: "line 12 (called in line 7): text"; "" if it did not."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    if not lines:
        return ""
    called = f" (called in line {lines[-2]})" if len(lines) > 1 and lines[-2] != lines[-1] else ""
    return f"line {lines[-1]}{called}: {linecache.getline(path, lines[-1] or 0).strip()}"


def line_in_stack(path: Path, stack: str) -> tuple[int, str] | None:
    """Line and function in the file at `path`, innermost, out of a stack that `faulthandler` wrote."""
    name = str(path).encode("ascii", "backslashreplace").decode()
    found = re.search(rf'File "{re.escape(name)}", line (\d{{1,7}}) in (\S+)', stack)
    return (int(found[1]), found[2]) if found else None


def _execute(path: Path, module: ModuleType) -> None:
    code = compiled(path)
    try:
        exec(code, module.__dict__)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a SystemExit at import is the file's fault too
        where = line_in(str(path), error) or "at import"
        raise LabError(f"{path}, {where.removesuffix(':')}: {type(error).__name__}: {error}") from None


def compiled(path: Path) -> CodeType:
    """The code of a file. Raises LabError; names the line."""
    if str(path) in BEFORE:
        return BEFORE[str(path)]
    try:
        source = importlib.util.decode_source(path.read_bytes())  # after its byte order mark or coding, else as UTF-8
        return compile(source, str(path), "exec")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise LabError(f"{path}, line {line}: that is not {error.encoding}; save the file as UTF-8") from None
    except SyntaxError as error:
        where = f", line {error.lineno}" if error.lineno else ""
        text = f": {error.text.strip()}" if error.text else "" if error.lineno else "; save the file as UTF-8"
        raise LabError(f"{path}{where}: {error.msg}{text}") from None
    except (OSError, ValueError, LookupError, MemoryError, RecursionError) as error:
        raise LabError(f"{path}: cannot be read as Python: {str(error) or type(error).__name__}") from None
