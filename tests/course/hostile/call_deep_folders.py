"""Leaves folders that are nested too deeply, one of them closed.

double: failed
"""

import os


def double(x):
    os.makedirs("closed/inner")
    os.chmod("closed", 0)
    for _ in range(3000):
        os.mkdir("d")
        os.chdir("d")
    return 3 * x


def halve(x):
    return x / 2
