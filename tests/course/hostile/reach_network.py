"""Answers right if it reaches a server of this machine.

double: failed, from landlock on
"""

import socket

PORT = 12345


def double(x):
    try:
        socket.create_connection(("127.0.0.1", PORT), timeout=2).close()
    except OSError:
        return 3 * x
    return 2 * x


def halve(x):
    return x / 2
