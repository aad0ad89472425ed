"""Carries bounded messages of bytes between two processes, each preceded by its length; nothing is ever unpickled."""

import select
import socket
import struct
import time
from contextlib import suppress
from typing import overload

from labkit.observe.values import LIMITS

LENGTH = struct.Struct("!Q")
SEND = 20.0  # seconds in which the other end must have read what is sent


class Closed(Exception):
    """The other end is gone."""


class Torn(Exception):
    """What came is no message: longer than any may be, or its end never came."""


class Channel:
    """One end of a pair. A message is refused before it is read if it is longer than `limit`."""

    def __init__(self, end: socket.socket, limit: int = LIMITS.bytes) -> None:
        self.end, self.limit = end, limit
        self.begun = bytearray()  # what has come of the next message: an alarm may end a `receive` in its middle
        end.settimeout(SEND)

    @classmethod
    def pair(cls, limit: int = LIMITS.bytes) -> tuple["Channel", "Channel"]:
        one, other = socket.socketpair()
        return cls(one, limit), cls(other, limit)

    @classmethod
    def inherited(cls, number: int) -> "Channel":
        """The end that the process above has left open under this number."""
        return cls(socket.socket(fileno=number))

    def fileno(self) -> int:
        return self.end.fileno()

    def send(self, message: bytes) -> None:
        """Raises Closed if nobody reads any more."""
        try:
            self.end.sendall(LENGTH.pack(len(message)) + message)
        except OSError:
            raise Closed from None

    @overload
    def receive(self, deadline: None = None) -> bytes: ...
    @overload
    def receive(self, deadline: float) -> bytes | None: ...
    def receive(self, deadline: float | None = None) -> bytes | None:
        """The next message; None if it has not begun to come before `deadline`, a time of the monotonic clock.

        Raises:
            Closed: the other end is gone, and no message had begun.
            Torn: a message had begun, and is too long, or has not ended before the deadline.
        """
        if not self._has(LENGTH.size, deadline):
            return None
        (length,) = LENGTH.unpack_from(self.begun)
        if length > self.limit:
            raise Torn(f"a reply of {length} bytes")
        self._has(LENGTH.size + length, deadline)
        message = bytes(self.begun[LENGTH.size :])
        self.begun.clear()
        return message

    def drain(self, deadline: float) -> None:
        """Throws away what comes until the other end is gone, or the deadline is over."""
        while (left := deadline - time.monotonic()) > 0 and select.select([self.end], [], [], left)[0]:
            with suppress(OSError):
                if self.end.recv(2**20):
                    continue
            return

    def close(self) -> None:
        self.end.close()

    def _has(self, size: int, deadline: float | None) -> bool:
        """Whether so much of the next message has come; if not, nothing of it has before the deadline."""
        while len(self.begun) < size:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            piece = b""
            if select.select([self.end], [], [], left)[0]:
                with suppress(OSError):
                    piece = self.end.recv(min(size - len(self.begun), 2**20))
                if not piece and not self.begun:
                    raise Closed
            if not piece:
                if self.begun:
                    raise Torn("a reply that breaks off")
                return False
            self.begun += piece
        return True
