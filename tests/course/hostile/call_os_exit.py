"""Ends Python with success when it is asked.

double: crashed
"""

import os


def double(x):
    os._exit(0)


def halve(x):
    return x / 2
