"""The process from which the servers of a lab's boxes are forked: it imports what workers need, once for all.

It runs no submission and knows no secret, so that a fork of it, once confined, is as good as a new Python. The side
here starts it; `keeper` is the other one.
"""

import json
import select
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from labkit.course.lab import Lab
from labkit.observe.channel import Channel
from labkit.observe.isolation import LEAST, PYTHON, copy_course, environment
from labkit.observe.ranks import SPAWN

# Nothing of what is imported is ever free again: the collector of garbage would look through it for nothing.
SERVE = "import gc, sys; gc.disable(); from labkit.observe.keeper import serve; serve(int(sys.argv[1]))"
PARTS = (*LEAST, "src/labkit/observe", "src/labkit/toolbox")  # of labkit, that a worker needs


class NotStarted(Exception):
    """Why there is no such process."""


class Template:
    """Starts the process; with `wait` or the first `server`, waits until it is ready. For this process and its forks,
    until this one ends or closes it.
    """

    def __init__(self, lab: Lab) -> None:
        self.temporary = TemporaryDirectory(prefix="labkit-sandbox-", ignore_cleanup_errors=True)
        folder, paths = Path(self.temporary.name), lab.paths
        folder.chmod(0o755)
        self.code, self.errors, self.said = folder / "code", folder / "errors", ""
        data = [path.relative_to(paths.root) for path in (paths.scenarios, *paths.data)]
        copy_course(self.code, [*PARTS, *data], paths.root)
        self.orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(
                [*PYTHON, SERVE, str(theirs.fileno())], env=environment(self.code, folder), pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, cwd="/", start_new_session=True,
            )  # fmt: skip
        theirs.close()
        order = {"modules": _modules(paths.scenarios), "ranks": any(step.ranks > 1 for step in lab.steps)}
        self.orders.send(json.dumps(order).encode())

    def wait(self) -> None:
        """Raises NotStarted."""
        if self.said:
            return
        if not select.select([self.orders], [], [], 2 * SPAWN)[0]:
            raise NotStarted("no answer")
        with suppress(ConnectionResetError):  # it ended before it had read its order
            self.said = self.orders.recv(8).decode()
        if not self.said:
            raise NotStarted((self.errors.read_text(errors="replace").strip().splitlines() or ["it ended"])[-1])

    def server(self) -> Channel:
        """A new one, which is told next which box is its own. Raises NotStarted."""
        self.wait()
        ours, theirs = Channel.pair()
        try:
            socket.send_fds(self.orders, [b"server"], [theirs.fileno()])
        except OSError as error:
            raise NotStarted(f"the process that forks it is gone ({error.strerror})") from None
        finally:
            theirs.close()
        return ours

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.orders.close()
        self.temporary.cleanup()

    def __enter__(self) -> "Template":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _modules(scenarios: Path) -> list[str]:
    """The modules of the scenarios."""
    files = sorted(scenarios.rglob("*.py")) if scenarios.is_dir() else [scenarios]
    return [".".join(file.relative_to(scenarios.parents[1]).with_suffix("").parts) for file in files]
