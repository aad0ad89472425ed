"""The other side of `template`: imports what workers need, and keeps a box for each submission.

serve             imports, and forks for every box
  _keep           waits outside of the box, and ends all that was in it
    Server        in the box, of `sandboxed`
      _Worker     does the jobs of one test
"""

import functools
import gc
import importlib
import os
import select
import signal
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from labkit.course import confine
from labkit.course.processes import adopt_orphans, end_children, end_with
from labkit.observe.channel import Channel, Closed
from labkit.observe.child import Child, Setting
from labkit.observe.rank_group import LOOPBACK, loopback_is_up
from labkit.observe.ranks import import_for_labs, import_for_ranks
from labkit.observe.sandboxed import ConfinedWork, Server
from labkit.observe.values import Json, parse


@dataclass(frozen=True)
class Order:
    """What the server of a box is told when it starts. `judge` is who sent it, on `cores`."""

    work: Json
    confinement: confine.Confinement
    cores: list[int]
    judge: int
    ranks: bool

    @classmethod
    def of(cls, confinement: Json, **data: Json) -> "Order":
        texts = {name: tuple(confinement[name]) for name in ("writable", "readable")}
        return cls(confinement=confine.Confinement(**confinement | texts), **data)

    def confined_work(self) -> ConfinedWork:
        """To be asked once in the box."""
        paths = {name: self.work[name] and Path(self.work[name]) for name in ("path", "overlay")}
        done = self.work | paths | {"builds_on": tuple(self.work["builds_on"])}
        return ConfinedWork(**done, others=confine.processes_of(os.getuid()))


def serve(number: int) -> None:
    """Imports all that workers need, says "ready", and forks a server for each channel that comes."""
    orders = socket.socket(fileno=number)
    end_with(os.getppid())
    confine.hide(True)
    wanted = parse(orders.recv(2**20))
    (import_for_ranks if wanted["ranks"] else import_for_labs)()
    for module in wanted["modules"]:
        importlib.import_module(module)
    gc.freeze()
    gc.enable()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for what keeps a box
    orders.send(b"ready")
    while descriptors := socket.recv_fds(orders, 8, 1)[1]:
        Child.fork(functools.partial(_keep, descriptors[0]), Setting(close=(number,)))
        os.close(descriptors[0])


def _keep(number: int) -> None:
    """Keeps the box of one submission, from outside: starts its server, and ends all that is left once that has ended,
    or the judge wants no more of it.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    adopt_orphans()
    channel = Channel.inherited(number)
    order = Order.of(**parse(channel.receive()))
    confinement = order.confinement
    os.sched_setaffinity(0, order.cores)
    try:
        confinement.join()
    except OSError as error:
        return channel.send(f"its namespaces cannot be joined ({error.strerror})".encode())
    server = Child.fork(functools.partial(_be_the_server, channel, order), Setting())
    ended = os.pidfd_open(server.pid)
    either = select.poll()
    either.register(ended, select.POLLIN)
    either.register(channel, select.POLLRDHUP)
    either.poll()
    server.kill()
    if confinement.uid is not None and confinement.beside is None:  # whatever has left its group
        subprocess.run(["/bin/sh", "-c", "kill -9 -1"], user=confinement.uid, group=confinement.uid, extra_groups=[])
    end_children(kept=())


def _be_the_server(channel: Channel, order: Order) -> None:
    """Enters the box, tells "" once ready, or why it isn't, and does requests."""
    home = order.confinement.writable[0]
    os.environ |= {"HOME": home, "TMPDIR": home}
    tempfile.tempdir = None
    silence = os.open(os.devnull, os.O_RDWR)
    for taken in (0, 1, 2):
        os.dup2(silence, taken)
    os.close(silence)  # a worker could set its flags, for the next to find
    try:
        order.confinement.enter()
    except OSError as error:
        return channel.send(f"it cannot be confined ({error.strerror})".encode())
    confine.hide(True)
    adopt_orphans()
    channel.send(LOOPBACK.encode() if order.ranks and not loopback_is_up() else b"")
    server = Server(
        channel,
        order.confined_work(),
        [Path(folder) for folder in order.confinement.writable],
        alone=order.confinement.beside is not None or _cannot_signal(order.judge),
    )
    try:
        server.serve()
    except Closed:
        server.sweep()


def _cannot_signal(pid: int) -> bool:
    """Whether a signal to all processes spares those of others, the judge's to begin with."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except ProcessLookupError:
        pass
    return False
