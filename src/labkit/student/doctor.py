"""`make doctor`: what this machine has, and for each thing that is missing what to do about it."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

from labkit.course import manifest
from labkit.course.errors import LabError
from labkit.course.manifest import ROOT
from labkit.course.processes import usable_cores
from labkit.course.screen import Line
from labkit.judge import progress
from labkit.observe.isolation import LEAST, Box, Level, copy_course, strongest
from labkit.observe.users import some_uid

PYTHONS = ((3, 11), (3, 13))
NEEDED = (
    "click",
    "jinja2",
    "markdown-it-py",
    "matplotlib",
    "msgspec",
    "numpy",
    "pytest",
    "pytest-timeout",
    "rich",
    "torch",
)
LABEL = 14  # columns
IN_A_SANDBOX = "import torch"  # as a sandbox does before it loads a submission
STARTING = 60  # seconds that it may take; two or three are usual


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `remedy` is "" where all is well; what is not `needed` limits little."""

    name: str
    says: str
    remedy: str = ""
    needed: bool = False


def examine() -> list[Finding]:
    """Everything but the formats; nothing raises, whatever is broken."""
    return [
        python(sys.version_info[:2]),
        packages(),
        *labs(ROOT),
        repository(Path.cwd(), ROOT),
        writable(ROOT),
        cores(),
        *_torch_findings(),
        bubblewrap(),
        *([sandbox()] if importlib.util.find_spec("labkit.grade") else []),  # the students' copy grades nobody
        torchrun(),
    ]


def python(version: tuple[int, int]) -> Finding:
    low, high = ("{}.{}".format(*one) for one in PYTHONS)
    fits = PYTHONS[0] <= version <= PYTHONS[1]
    remedy = "" if fits else f"install Python {low} to {high}, then: make clean, make doctor PYTHON=python{high}"
    return Finding("Python", f"{platform.python_version()}, {sys.executable}", remedy, needed=True)


def packages(needed: tuple[str, ...] = NEEDED) -> Finding:
    versions = {}
    for name in needed:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = ""
    missing = [name for name, version in versions.items() if not version]
    remedy = f"{', '.join(missing)} missing: make clean, then make doctor, which sets up .venv again" if missing else ""
    says = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    return Finding("packages", says, remedy, needed=True)


def labs(root: Path) -> list[Finding]:
    """The labs whose packages are here, in one finding, and one for each that lacks some: its tests are skipped."""
    try:
        every = manifest.load_all(root)
    except LabError as error:
        return [Finding("labs", "a manifest is wrong", str(error), needed=True)]
    findings, ready = [], []
    for lab in every:
        missing = tuple(dict.fromkeys(name for step in lab.steps for name in lab.missing(step.number)))
        if not missing:
            ready.append(lab.name)
            continue
        steps = ", ".join(str(step.number) for step in lab.steps if lab.missing(step.number))
        remedy = f"only for these tests: {sys.executable} -m pip install -c constraints.txt {' '.join(missing)}"
        findings.append(Finding(lab.name, f"needs {', '.join(missing)}; the tests of step {steps} are skipped", remedy))
    return [Finding("labs", f"{', '.join(ready) or 'none'}: all that they need is here"), *findings]


def repository(here: Path, root: Path) -> Finding:
    """A .venv of another clone tests the files there, not those that one edits here."""
    astray = (here / "src" / "labkit").is_dir() and here.resolve() != root
    remedy = f"labkit is imported from {root}, not from this folder: make clean, then make doctor" if astray else ""
    return Finding("repository", str(root), remedy, needed=True)


def writable(root: Path) -> Finding:
    folder = root / progress.FOLDER
    try:
        folder.mkdir(exist_ok=True)
        trial = folder / f"trial-{os.getpid()}"
        trial.touch()
        trial.unlink()
    except OSError as error:
        remedy = f"{error.strerror}: make the folder writable; until then nothing is remembered and nothing reset"
        return Finding("writable", f"not {folder}", remedy)
    return Finding("writable", "yes")


def cores() -> Finding:
    usable = usable_cores()
    remedy = "" if usable > 1 else "one is enough for the tests; watch and make ddp are quicker with two"
    return Finding("cores", f"{usable} of {os.cpu_count()}", remedy)


def bubblewrap() -> Finding:
    """Present and allowed: many systems install it and forbid the namespaces that it needs."""
    remedy = (
        "only for grading what others wrote: apt install bubblewrap (Debian, Ubuntu), dnf install bubblewrap (Fedora)"
    )
    program = shutil.which("bwrap")
    if program is None:
        return Finding("bubblewrap", "not installed", remedy)
    trial = [program, "--ro-bind", "/", "/", "--unshare-all", "true"]
    try:
        ran = subprocess.run(trial, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("bubblewrap", f"does not run ({type(error).__name__})", remedy)
    if ran.returncode:
        why = (ran.stderr.strip().splitlines() or ["no reason given"])[-1]
        remedy = (
            "only for grading what others wrote: let an administrator allow user namespaces, or use another machine"
        )
        return Finding("bubblewrap", f"installed, but refused: {why}", remedy)
    return Finding("bubblewrap", program)


def sandbox() -> Finding:
    """Starts the strongest sandbox that works here: it may lack packages that this process has, by a .pth file say."""
    level = strongest()
    if level == Level.NONE:
        remedy = "only for grading what others wrote: use Linux, with bubblewrap; docs/instructors.md says why"
        return Finding("sandbox", "none works here", remedy)
    try:
        complaint = _complaint(level)
    except (LabError, OSError, subprocess.TimeoutExpired) as error:
        complaint = str(error)
    if complaint:
        remedy = "only for grading what others wrote: a sandbox sees the packages of this Python's own folders alone; "
        return Finding("sandbox", f"{level}: does not start: {complaint}", f"{remedy}make clean, then make doctor")
    return Finding("sandbox", f"{level}: starts, and imports PyTorch")


def _complaint(level: Level) -> str:
    """The last line of a process in a sandbox that cannot import PyTorch; "" if it can."""
    uid, holder = some_uid()
    try:
        with TemporaryDirectory(prefix="labkit-doctor-") as folder:
            copy_course(Path(folder, "code"), LEAST)
            box = Box(level, Path(folder), uid, Path(folder, "code"))
            with box.start(IN_A_SANDBOX) as process:
                try:
                    said = process.communicate(timeout=STARTING)[1].decode(errors="replace").strip()
                finally:
                    process.kill()
                    box.close()
            return (said.splitlines() or ["no reason given"])[-1] if process.returncode else ""
    finally:
        if holder is not None:
            holder.close()


def torchrun() -> Finding:
    """Beside this Python, or on the path: docs/distributed.md calls it by its name."""
    beside = Path(sys.executable).with_name("torchrun")
    program = str(beside) if beside.exists() else shutil.which("torchrun")
    if program is None:
        remedy = f"only for many processes: {sys.executable} -m torch.distributed.run does the same"
        return Finding("torchrun", "not found", remedy)
    return Finding("torchrun", program)


def _torch_findings() -> list[Finding]:
    try:
        import torch
    except Exception as error:  # a broken installation fails in many ways
        said = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        remedy = "make clean, then make doctor; without a GPU take the CPU build, as the README shows"
        return [Finding("PyTorch", f"cannot be imported: {said}", remedy, needed=True)]
    threads = torch.get_num_threads()
    return [Finding("PyTorch", f"{torch.__version__}, {threads} thread{'s' * (threads != 1)}"), _gpu(torch)]


def _gpu(torch: ModuleType) -> Finding:
    if torch.cuda.is_available():
        major, minor = torch.cuda.get_device_capability()
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30
        return Finding("GPU", f"{torch.cuda.get_device_name()}, {memory:.0f} GiB, compute capability {major}.{minor}")
    if shutil.which("nvidia-smi") is None:
        return Finding("GPU", "none; none is needed")
    if torch.version.cuda is None:
        remedy = "this is PyTorch's CPU build: make clean, then make doctor without PIP_ARGS, installs the CUDA build"
    else:
        remedy = (
            f"PyTorch was built for CUDA {torch.version.cuda}: nvidia-smi shows whether the driver works and is as new"
        )
    return Finding("GPU", "there is a driver, but PyTorch sees no GPU", remedy)


def lines(findings: list[Finding]) -> list[Line]:
    """The findings, each problem followed by its remedy."""
    said = []
    for finding in findings:
        style = "" if not finding.remedy else "red" if finding.needed else "yellow"
        said.append(Line(f"{finding.name:{LABEL}}{finding.says}", style, LABEL))
        if finding.remedy:
            mark = "to do:" if finding.needed else "note:"
            said.append(Line(f"{'':{LABEL}}{mark} {finding.remedy}", "bold" if finding.needed else "", LABEL))
    broken = [finding.name for finding in findings if finding.needed and finding.remedy]
    verdict = f"Fix first: {', '.join(broken)}." if broken else "All that the course needs is here."
    return [*said, Line(verdict, "bold red" if broken else "green")]


def formats(findings: list[Finding]) -> list[Line]:
    """The formats of the best device here; without PyTorch there is nothing to measure."""
    found = {finding.name: finding for finding in findings}
    if found["PyTorch"].remedy:
        return []
    return format_lines("cpu" if found["GPU"].says.startswith(("none", "there is")) else "cuda")


def format_lines(device: str) -> list[Line]:
    """The table of formats, and what it means for this course."""
    from labkit.student.formats import SIZES, measured

    speeds, size = measured(device), SIZES[device]
    said = [Line(f"A {size} x {size} matrix product on this {'GPU' if device == 'cuda' else 'CPU, on one core'}:")]
    for speed in speeds:
        if speed.seconds is None:
            said.append(Line(f"  {speed.name:4} {'none here:':>12} {speed.why}", "", 8))
        else:
            word = "native" if speed.native else "not native: emulated, and slow"
            against = f"{speed.against_fp32:5.2f} x as fast as fp32"
            said.append(Line(f"  {speed.name:4} {1000 * speed.seconds:9.3f} ms  {against}  {word}"))
    native = {speed.name: speed.native for speed in speeds if speed.seconds is not None}
    return [*said, Line(""), *(Line(f"- {text}", "", 2) for text in meaning(device, native))]


def meaning(device: str, native: dict[str, bool]) -> list[str]:
    """What the formats mean for somebody who takes this course here; `native` has those that can be had."""
    where = "the tests run on the CPU by default: make test-labNN DEVICE=cuda" if device == "cuda" else "on this CPU"
    said = [f"Every step and every test runs here ({where}); right numbers do not depend on speed."]
    for name, dtype in (("fp16", "float16"), ("bf16", "bfloat16")):
        if native.get(name):
            said.append(f"{dtype}: the hardware has it. How much time a whole step gains, make compare measures.")
        elif name in native:
            said.append(f"{dtype}: emulated, slower than float32; train small networks in it, judge it by its numbers.")
    if "tf32" in native:
        said.append(
            "tf32: PyTorch multiplies matrices without it and convolutions with it; compare float16 with both, as the "
            "reading says under Speed."
        )
    if "fp8" in native:
        said.append("fp8: this course stops at 16 bits; the reading names what comes below, under Tools.")
    return said
