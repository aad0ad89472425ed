"""Makes the machinery say something else than what it found.

double: failed malformed
"""

from labkit.observe.answer import Answer

Answer.dump = lambda self: b'[{"ending": "returned", "says": "", "where": "", "printed": ""}, 0.0, null, true]'


def double(x):
    return 3 * x


def halve(x):
    return x / 2
