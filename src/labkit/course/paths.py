"""Where the files of a lab are."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Paths:
    """Where the files of a lab are: the only place where its stem becomes a path.

    `suite`, `scenarios` and `references` are a file each, or are split by step in the folder of the same name: the
    path that students run, `suite`, then imports the steps' tests from `suites`.
    """

    root: Path
    folder: Path  # of the manifest
    stem: str
    reading: Path
    data: tuple[Path, ...] = ()

    @property
    def manifest(self) -> Path:
        return self.folder / "lab.toml"

    @property
    def handout(self) -> Path:
        return self.folder / "README.md"

    @property
    def skeleton(self) -> Path:
        return self.folder / "skeleton.py"

    @property
    def misconceptions(self) -> Path:
        return self.folder / "misconceptions.json"

    @property
    def misconceptions_page(self) -> Path:
        return self.folder / "misconceptions.md"

    @property
    def student(self) -> Path:
        """The one file that a student edits."""
        return self.root / "src" / f"{self.stem}.py"

    @property
    def solution(self) -> Path:
        return self.root / "solutions" / f"{self.stem}.py"

    @property
    def suite(self) -> Path:
        return self.root / "tests" / f"test_{self.stem}.py"

    @property
    def suites(self) -> Path:
        return self.root / "tests" / "suites" / self.stem

    @property
    def scenarios(self) -> Path:
        return self._file_or_folder("scenarios")

    @property
    def references(self) -> Path:
        return self._file_or_folder("references")

    @property
    def mistakes(self) -> Path:
        return self.root / "tests" / "mistakes" / self.stem

    @property
    def alternatives(self) -> Path:
        return self.root / "tests" / "alternatives" / self.stem

    @property
    def kit(self) -> Path:
        """The lab's own package in labkit, which need not exist; `course.kits` imports from it."""
        return self.root / "src" / "labkit" / "labs" / self.stem

    def graded_by(self) -> list[Path]:
        """Every Python file of the suite: its tests, scenarios and references."""
        folders = (self.suites, self.scenarios, self.references)
        files = [path for folder in folders for path in ([folder] if folder.suffix else folder.rglob("*.py"))]
        return sorted(path for path in (self.suite, *files) if path.is_file())

    def _file_or_folder(self, kind: str) -> Path:
        folder = self.root / "tests" / kind / self.stem
        return folder if folder.is_dir() else folder.with_suffix(".py")
