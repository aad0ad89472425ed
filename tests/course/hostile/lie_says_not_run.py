"""Says that its test was not run, which only the grader knows, so that its row would say so.

double: malformed
"""

from labkit.observe.answer import Answer

FORGED = b'[{"ending": "timeout", "says": "not run, because it is late", "where": "", "printed": ""}, 0.0, null, null]'


def double(x):
    Answer.dump = lambda self: FORGED
    return 3 * x


def halve(x):
    return x / 2
