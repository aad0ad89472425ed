"""A figure against the limit that the course sets itself."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """One figure against its limit; `at_least` tells on which side of the limit it should lie."""

    what: str
    value: float
    unit: str
    limit: float
    at_least: bool = False

    def __str__(self) -> str:
        kept = self.value >= self.limit if self.at_least else self.value <= self.limit
        side = "at least" if self.at_least else "at most"
        return f"{self.what:<66} {self.value:7.2f} {self.unit:<2} {side} {self.limit:g}: {'kept' if kept else 'MISSED'}"
