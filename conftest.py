"""Options of the graded suites; what they do is in `labkit.judge.plugin`."""

import pytest

from labkit.course.garbage import none_collected

with none_collected():  # a fifth of the time that it takes
    import torch  # noqa: F401

pytest_plugins = ["labkit.judge.plugin"]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("labs", "graded suites")
    group.addoption("--impl", default="src", help="code under test: src, solutions, or a folder with the lab's file")
    group.addoption("--overlay", metavar="FILE", help="replacements that are run on top of the code under test")
    group.addoption("--step", type=int, metavar="N", help="only the tests of step N")
    group.addoption("--device", default="cpu", choices=("cpu", "cuda"), help="where scenarios run")
    levels = ("none", "limits", "landlock", "bubblewrap", "best")
    group.addoption("--isolation", default="none", choices=levels, help="what keeps scenarios from this machine")
    group.addoption("--run-limit", type=float, default=300.0, help="seconds for all tests together (default 300)")
    group.addoption("--one-timeout", action="store_true", help="end the run at the first test that gives no answer")
    group.addoption("--seed", default="0", help="the inputs of all tests are drawn from it (default 0)")
    group.addoption("--json", metavar="PATH", help="write a record of every behaviour to PATH")
    group.addoption("--record", metavar="PATH", help="write what the scenarios returned to PATH")
    group.addoption("--replay", metavar="PATH", help="answer with what --record wrote instead of running anything")
