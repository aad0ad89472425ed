"""The machinery of the course's labs: data, models, measurements, tests, command line. Nobody edits it to solve one."""

__version__ = "0.1.0"
