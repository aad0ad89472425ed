"""The one exception that ends a command with a line for the user instead of a traceback."""


class LabError(Exception):
    """A problem that the user can act on: `str(error)` is one clear line, `exit_code` is what the process returns."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code
