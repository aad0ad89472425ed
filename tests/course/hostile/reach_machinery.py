"""Changes the machinery that it runs on, and answers right if it could.

double: failed, from limits on
"""

import labkit.observe.values


def double(x):
    for path in (labkit.observe.values.__file__, __file__):
        try:
            with open(path, "a") as file:
                file.write("# changed")
        except OSError:
            continue
        return 2 * x
    return 3 * x


def halve(x):
    return x / 2
