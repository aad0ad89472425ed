"""Runs Python as a person would, in processes forked from one that has imported torch: each saves the seconds of that.

`python warm_python.py` reads a request a line, and answers each with a line when its process has ended. What is tested
about starting, signals or threads of a process starts a Python of its own.
"""

import atexit
import functools
import gc
import importlib
import json
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from commandline import ROOT, Finished

from labkit.observe.child import Child, Setting

ENVIRONMENT = os.environ | {
    "PYTHONPATH": str(ROOT / "src"),
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "OMP_NUM_THREADS": "1",
    "COLUMNS": "200",
    "NO_COLOR": "1",
}
LIMIT = 300.0  # seconds for a run


def python(
    *arguments: object,
    cwd: Path = ROOT,
    environment: Mapping[str, str] = ENVIRONMENT,
    text: str = "",
    limit: float = LIMIT,
) -> Finished:
    """`python ARGUMENTS`, which reads `text` as its standard input; ended after `limit` seconds, with code -9."""
    process = _server()
    request = [list(map(str, arguments)), str(cwd), dict(environment), text, limit]
    process.stdin.write(json.dumps(request) + "\n")
    process.stdin.flush()
    return Finished(*json.loads(process.stdout.readline()))


@functools.cache
def _server() -> subprocess.Popen[str]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    server = subprocess.Popen([sys.executable, __file__], cwd=ROOT, env=ENVIRONMENT, **pipes)
    atexit.register(server.communicate)  # the end of its input ends it
    return server


def serve() -> None:
    from _pytest.config import default_plugins

    from labkit.observe.ranks import import_for_ranks

    import_for_ranks()
    used = ("click", "markdown_it", "rich.progress", "labkit.judge.graded", "labkit.judge.plugin")
    for name in (*used, *(f"_pytest.{plugin}" for plugin in default_plugins)):
        importlib.import_module(name)
    gc.freeze()  # a child's garbage collector need not walk through all of torch: half a second a run of pytest
    for line in sys.stdin:
        print(json.dumps(_run(*json.loads(line))), flush=True)


def _run(arguments: list[str], cwd: str, environment: dict[str, str], text: str, limit: float) -> tuple[int, str, str]:
    """The exit code and both outputs of a child that is this Python with these arguments."""
    folder = tempfile.mkdtemp(prefix="labkit-warm-")  # no TemporaryDirectory, which the child would remove at its exit
    try:
        paths = [Path(folder, name) for name in ("in", "out", "err")]
        paths[0].write_text(text)
        child = Child.fork(functools.partial(_be_python, arguments, cwd, environment, paths), Setting())
        child.wait(limit)
        child.kill()
        out, err = (path.read_text(errors="replace") for path in paths[1:])
        return child.code, out, err
    finally:
        shutil.rmtree(folder)


def _be_python(arguments: list[str], cwd: str, environment: dict[str, str], paths: list[Path]) -> int:
    """The child: gives the exit code, after all that Python does at its exit."""
    for number, path in enumerate(paths):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), number)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # the environment may name another folder
    if encoding := environment.get("PYTHONIOENCODING"):
        sys.stdout.reconfigure(encoding=encoding)
        sys.stderr.reconfigure(encoding=encoding)
    _find_modules_as(environment)
    code: object = 0
    try:
        _interpret(arguments)
    except SystemExit as error:
        code = error.code
    except BaseException:
        traceback.print_exc()
        code = 1
    with suppress(BaseException):
        threading._shutdown()
        atexit._run_exitfuncs()
    if isinstance(code, str):
        print(code, file=sys.stderr)
        return 1
    return int(code or 0)


def _find_modules_as(environment: Mapping[str, str]) -> None:
    """The environment's PYTHONPATH in the place of this file's folder and of this repository's."""
    path = [folder for folder in environment.get("PYTHONPATH", "").split(os.pathsep) if folder]
    own = {str(Path(__file__).parent), *filter(None, ENVIRONMENT["PYTHONPATH"].split(os.pathsep))}
    sys.path[:] = ["", *path, *(folder for folder in sys.path if folder not in own)]
    if str(ROOT / "src") not in path:
        for name in [name for name in sys.modules if name.partition(".")[0] == "labkit"]:
            del sys.modules[name]


def _interpret(arguments: list[str]) -> None:
    """What Python does with `-c CODE`, `-m MODULE` or `FILE`, and the arguments after it."""
    kind, *rest = arguments
    if kind == "-c":
        sys.argv = ["-c", *rest[1:]]
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})
    elif kind == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv, sys.path[0] = arguments, str(Path(kind).resolve().parent)
        runpy.run_path(kind, run_name="__main__")


if __name__ == "__main__":
    serve()
