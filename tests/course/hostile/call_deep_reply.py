"""Returns a list that is nested too deeply.

double: malformed
"""


def double(x):
    reply = x
    for _ in range(900):
        reply = [reply]
    return reply


def halve(x):
    return x / 2
