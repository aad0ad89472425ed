"""The autograder.zip that Gradescope installs: what of this course grades one lab, and the two scripts that it calls.

Its root is /autograder: `source` has the archive's files, `run_autograder` is a copy of that file, `submission` is the
student's, and `results/results.json` is ours. https://gradescope-autograders.readthedocs.io/en/latest/specs/
"""

import io
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

from labkit.course.lab import Lab
from labkit.course.manifest import find

MADE = (2026, 1, 1, 0, 0, 0)  # of every entry: equal courses give equal archives

SETUP = """\
#!/usr/bin/env bash
# Gradescope runs this once, as root, when it builds the image.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export DEBIAN_FRONTEND=noninteractive
apt-get update
python=python3
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    apt-get install -y --no-install-recommends python3.11 python3.11-venv
    python=python3.11
fi
apt-get install -y --no-install-recommends bubblewrap "$python-venv"
"$python" -m venv "$here/../venv"
"$here/../venv/bin/python" -m pip install --no-cache-dir \\
    --extra-index-url https://download.pytorch.org/whl/cpu -c "$here/course/constraints.txt" "$here/course"
chmod 600 "$here/secret"
"""

RUN = """\
#!/usr/bin/env bash
# Gradescope runs this for every submission, with its own root as the working directory.
here=$(cd "$(dirname "${{BASH_SOURCE[0]}}")" && pwd)
cd "$here/source/course" || exit 1
mkdir -p "$here/results"
export PYTHONPATH="$PWD/src" PYTHONDONTWRITEBYTECODE=1
exec "$here/venv/bin/python" -m labkit grade-one {lab} "$here/submission" --as gradescope \\
    --out "$here/results/results.json" --secret-file "$here/source/secret" {options}
"""


def autograder_zip(lab: Lab, secret: bytes, options: str = "") -> bytes:
    """The archive. `secret` is that of the seeds, `options` are further ones of `labkit grade-one`."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        run = RUN.format(lab=lab.name, options=options).encode()
        for name, data, mode in (
            ("setup.sh", SETUP.encode(), 0o755),
            ("run_autograder", run, 0o755),
            ("secret", secret + b"\n", 0o600),
            *(
                (f"course/{path.relative_to(lab.paths.root).as_posix()}", path.read_bytes(), 0o644)
                for path in needed(lab)
            ),
        ):
            entry = zipfile.ZipInfo(name, MADE)
            entry.external_attr = (stat.S_IFREG | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(entry, data)
    return archive.getvalue()


def needed(lab: Lab) -> list[Path]:
    """The files that grading the lab takes: neither a solution, nor a mistake, nor a test of the course."""
    root = lab.paths.root
    labs = [lab, *(find(stem, root) for stem in lab.builds_on)]
    files = [root / name for name in ("conftest.py", "pyproject.toml", "constraints.txt")]
    files += _python(root / "src" / "labkit", {one.stem for one in labs})
    for one in labs:
        paths = one.paths
        files += [paths.manifest, paths.reading, paths.misconceptions, *paths.graded_by()]
        files += [path for data in paths.data for path in ([data] if data.is_file() else data.rglob("*"))]
    return sorted({path for path in files if path.is_file()})


def _python(labkit: Path, stems: set[str]) -> Iterator[Path]:
    """labkit without the kits of other labs, and without what Python has compiled."""
    for path in labkit.rglob("*"):
        kit = path.relative_to(labkit).parts[1:2] if path.is_relative_to(labkit / "labs") else ()
        others = kit and (labkit / "labs" / kit[0]).is_dir() and kit[0] not in stems
        if "__pycache__" not in path.parts and not others:
            yield path
