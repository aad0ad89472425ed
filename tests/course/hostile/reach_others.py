"""Answers right if it finds another file of a course anywhere.

double: failed, from landlock on
"""

import os


def double(x):
    for _, _, files in os.walk("/the/course"):
        if any(name.endswith(".py") for name in files):
            return 2 * x
    return 3 * x


def halve(x):
    return x / 2
