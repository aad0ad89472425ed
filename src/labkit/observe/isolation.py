"""How far a process that runs a submission is kept apart from this machine: the levels, and which of them work here."""

import functools
import json
import os
import shutil
import site
import socket
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory

from labkit.course.confine import UNCOUNTED, Confinement, landlock_version
from labkit.course.errors import LabError
from labkit.course.manifest import ROOT
from labkit.course.processes import children_of
from labkit.observe.users import some_uid

HOME, SHARED = 256 * 2**20, 64 * 2**20  # bytes of the only folders in bubblewrap that can be written to
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/alternatives", "/etc/ld.so.cache")
LOOKED_AT = ("/sys/devices/system/cpu", "/sys/kernel/mm/transparent_hugepage")  # by torch, and by glibc
PROBE = 20.0  # seconds, on a busy machine
ENTER = """
import json, os, sys
from labkit.course.confine import *
confinement = Confinement(**json.loads(sys.argv[1]))
confinement.join()
if confinement.beside is not None and (pid := os.fork()):
    os._exit(abs(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))
confinement.enter()
"""
WAIT = ("/bin/sh", "-c", "echo; read line")  # in namespaces that others join
# Objects in glibc's heap, and that in pages of 2 MiB: a fork of what has imported torch costs the system 5 ms, not 30.
CHEAP_FORKS = {"PYTHONMALLOC": "malloc", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
PYTHON = (sys.executable, "-P", "-s", "-c")
LEAST = ("src/labkit/__init__.py", "src/labkit/course")  # what `ENTER` imports
LOOK = """
if sys.argv[4:]:
    restrict_worker(network=False)
print(json.dumps(reached(json.loads(sys.argv[2]), int(sys.argv[3]))))
"""


class Level(StrEnum):
    """The levels, the weakest first; each keeps what those before it promise.

    `limits`: another user than root, limits on memory, processes, files and time, an empty environment, an end from
    outside, and nothing that a test leaves in the kernel for the next. `landlock`: also no file but the scenarios,
    Python and an own folder, and no network but for ranks. `bubblewrap`: also no network at all, no process of others
    in sight, and folders of its own in memory.
    """

    NONE = "none"
    LIMITS = "limits"
    LANDLOCK = "landlock"
    BUBBLEWRAP = "bubblewrap"

    @property
    def weak(self) -> bool:
        """Whether what runs in it can reach files of others, or the network."""
        return not self.reaches(Level.LANDLOCK)

    def reaches(self, other: "Level") -> bool:
        return list(Level).index(self) >= list(Level).index(other)


class Box:
    """Where confined processes run, of one submission: of files, they see those of the course that they need at `code`,
    the `submission`, and `home`, which is theirs.
    """

    def __init__(self, level: Level, folder: Path, uid: int | None, code: Path) -> None:
        """`folder`: its own, which holds `submission` and `home`; `code` is shared with other boxes."""
        self.level, self.folder, self.uid, self.code = level, folder, uid, code
        self.waiting: subprocess.Popen | None = None
        (folder / "submission").mkdir()
        folder.chmod(0o755)

    @property
    def submission(self) -> Path:
        """Its path as these processes see it."""
        return Path("/submission") if self.level == Level.BUBBLEWRAP else self.folder / "submission"

    @property
    def home(self) -> Path:
        """Also as they see it."""
        return Path("/tmp") if self.level == Level.BUBBLEWRAP else self.folder / "home"

    def open(self) -> Confinement:
        """What a process has to do to itself to be in this box, until it is closed.

        Raises:
            LabError: bubblewrap does not start; it says why.
        """
        (self.folder / "home").mkdir(exist_ok=True)
        publish(self.folder / "submission")
        if self.level == Level.BUBBLEWRAP:
            return self._in_namespaces()
        if self.uid is not None:
            os.chown(self.folder / "home", self.uid, self.uid)
        seen = (
            *_python(),
            str(self.code),
            str(self.submission),
            *SYSTEM,
            "/sys",
        )  # gloo looks for what hardware there is
        readable = tuple(filter(os.path.exists, seen))
        return Confinement((str(self.home),), self.uid, self.level == Level.LANDLOCK, readable, reads=True)

    def close(self) -> None:
        """Ends all that runs in its namespaces."""
        if self.waiting is not None:
            self.waiting.kill()
            self.waiting.communicate()
            self.waiting = None

    def start(self, program: str, arguments: Sequence[str] = ()) -> subprocess.Popen:
        """Starts Python with `program`, once it is in the box."""
        return subprocess.Popen(
            [*PYTHON, ENTER + program, json.dumps(asdict(self.open())), *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/",
            env=environment(self.code, self.home), start_new_session=True,
        )  # fmt: skip

    def _in_namespaces(self) -> Confinement:
        """Those of bubblewrap. Without root, a process there is of the user whose files it sees, and one that has not
        been started there has a way past read-only mounts: /proc/self/exe. Landlock bars that.
        """
        pipe = subprocess.PIPE
        self.waiting = subprocess.Popen([*_bwrap(self), *WAIT], stdin=pipe, stdout=pipe, stderr=pipe, env={}, cwd="/")
        assert self.waiting.stdout is not None, "it is a pipe"
        if not self.waiting.stdout.readline():
            complaint = self.waiting.communicate()[1].decode(errors="replace").strip()
            raise LabError((complaint.splitlines() or ["bubblewrap ended"])[-1])
        (beside,) = children_of(self.waiting.pid)
        writable = (str(self.home), "/dev/shm")
        return Confinement(writable, self.uid, self.uid is None, ("/",), beside=beside)


def copy_course(code: Path, names: Iterable[str | Path], root: Path = ROOT) -> None:
    """Puts these files and folders of the course at `root` into the folder `code`, for everybody to read."""
    for name in names:
        source, target = root / name, code / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)
    publish(code)


def publish(folder: Path) -> None:
    """Lets everybody read what the folder holds."""
    subprocess.run(["chmod", "-R", "u+rwX,go+rX,go-w", str(folder)], check=True)


def environment(code: Path, home: Path) -> dict[str, str]:
    """Everything that a process in a box finds in its environment."""
    return {
        "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "USER": "student", "HOME": str(home), "TMPDIR": str(home),
        "PYTHONPATH": f"{code}/src:{code}/tests", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1", **CHEAP_FORKS,
    }  # fmt: skip


@functools.cache
def what_works() -> dict[Level, str]:
    """Of every level "", or why it does not work on this machine, found by trying; once in a process."""
    return {level: _refusal(level) for level in Level}


def strongest() -> Level:
    """The strongest level that works here."""
    return next(level for level in reversed(Level) if not what_works()[level])


def level_of(name: str) -> Level:
    """The level that a user asks for: by its name, or the "best" that works.

    Raises:
        LabError: it does not work here.
    """
    if name == "best":
        return strongest()
    level = Level(name)
    if reason := what_works()[level]:
        raise LabError(f"--isolation {level} does not work here: {reason}; the strongest that does is {strongest()}")
    return level


def _refusal(level: Level) -> str:
    """Why the level does not work here, or ""."""
    if level == Level.NONE:
        return ""
    if sys.platform != "linux":
        return "it needs Linux"
    if level == Level.LANDLOCK and not landlock_version():
        return "the kernel has no Landlock"
    if level == Level.BUBBLEWRAP and not shutil.which("bwrap"):
        return "bubblewrap is not installed (apt-get install bubblewrap)"
    if level == Level.BUBBLEWRAP and os.geteuid() and not landlock_version():
        return "the kernel has no Landlock, which it needs unless you are root"
    uid, holder = some_uid()
    with (
        TemporaryDirectory(prefix="labkit-probe-") as folder,
        NamedTemporaryFile(prefix="labkit-probe-") as secret,
        socket.create_server(("127.0.0.1", 0)) as server,
    ):
        code = Path(folder, "code")
        copy_course(code, LEAST)
        box = Box(level, Path(folder), uid, code)
        apart = [level] if level == Level.LANDLOCK else []
        foreign = json.dumps([secret.name, __file__])
        try:
            with box.start(LOOK, [foreign, str(server.getsockname()[1]), *apart]) as process:
                try:
                    said, complaint = process.communicate(timeout=PROBE)
                finally:
                    process.kill()
        except LabError as error:
            return str(error)
        except subprocess.TimeoutExpired:
            return "no answer"
        finally:
            box.close()
            if holder is not None:
                holder.close()
    if process.returncode:
        lines = complaint.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it did not start"
    reach = [what for what in json.loads(said) if what == UNCOUNTED or not level.weak]
    return f"a process in it reaches {', '.join(reach)}" if reach else ""


def _bwrap(box: Box) -> list[str]:
    """bubblewrap's command line up to the program. As root it makes no namespace of users, and `Confinement` takes
    another user inside: Python may lie where only root can read.
    """
    unshare = ["ipc", "pid", "net", "uts", "cgroup-try", *(["user"] if box.uid is None else [])]
    system, python = [path for path in (*SYSTEM, *LOOKED_AT) if os.path.exists(path)], _python()
    hidden = [str(ROOT)] if any(ROOT.is_relative_to(path) for path in system) else []
    made: dict[str, None] = {}  # the folders that lead there: bubblewrap would make them as closed as they are outside
    for path in (*system, *python, str(box.code)):
        made |= dict.fromkeys(str(parent) for parent in reversed(Path(path).parents[:-1]))
    own = ["--perms", "1777", "--size"]
    return [
        shutil.which("bwrap") or "bwrap",
        *(f"--unshare-{what}" for what in unshare), "--die-with-parent", "--new-session", "--as-pid-1",
        "--proc", "/proc", "--dev", "/dev", *own, str(SHARED), "--tmpfs", "/dev/shm", "--remount-ro", "/dev",
        *own, str(HOME), "--tmpfs", str(box.home),
        *(part for path in made if path != str(box.home) for part in ("--perms", "0755", "--dir", path)),
        *(part for path in system for part in _bind(path)),
        *(part for path in hidden for part in ("--tmpfs", path)),
        *(part for path in python for part in _bind(path)),
        *(part for path in hidden for part in ("--remount-ro", path)),
        "--ro-bind", str(box.code), str(box.code),
        "--ro-bind", str(box.folder / "submission"), str(box.submission), "--remount-ro", "/", "--",
    ]  # fmt: skip


def _bind(path: str) -> tuple[str, str, str]:
    return ("--symlink", os.readlink(path), path) if os.path.islink(path) else ("--ro-bind", path, path)


def _python() -> list[str]:
    """The folders of this Python and of the packages that are installed for it."""
    own = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    found = dict.fromkeys(path for path in (sys.prefix, sys.base_prefix, *own) if os.path.isdir(path))
    return [path for path in found if not any(path.startswith(f"{other}/") for other in (*found, *SYSTEM))]
