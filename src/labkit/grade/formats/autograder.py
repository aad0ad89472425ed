"""The autograder.zip that Gradescope installs: what of this course grades one lab, and the two scripts that it calls.

Its root is /autograder: `source` has the archive's files, `run_autograder` is a copy of that file, `submission` is the
student's, and `results/results.json` is ours. https://gradescope-autograders.readthedocs.io/en/latest/specs/
"""

from pathlib import Path

from labkit.course.files import zipped
from labkit.course.lab import Lab
from labkit.grade.excerpt import excerpt

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


def autograder_zip(lab: Lab, secret: bytes, options: str = "", hidden: Path | None = None) -> bytes:
    """The archive. `secret` is that of the seeds, `options` are further ones of `labkit grade-one`, and `hidden` is a
    folder of hidden tests.

    Raises:
        LabError: it is no such folder.
    """
    scripts = {"setup.sh": SETUP, "run_autograder": RUN.format(lab=lab.name, options=options)}
    files = {name: text.encode() for name, text in scripts.items()} | {"secret": secret + b"\n"}
    files |= {f"course/{path}": data for path, data in excerpt(lab, hidden).items()}
    return zipped(files, {"secret": 0o600} | dict.fromkeys(scripts, 0o755))
