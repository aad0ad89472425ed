"""The doctor looks at everything, whatever is broken, and has a remedy for each problem."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from page_checks import ROOT
from small_course import small_course
from warm_python import ENVIRONMENT

from labkit.observe.isolation import strongest
from labkit.student import doctor, formats


def test_it_says_what_is_here() -> None:
    """Within a second of measuring, without colour, in 80 columns."""
    ran = subprocess.run(
        [sys.executable, "-m", "labkit", "doctor"],
        cwd=ROOT, env=ENVIRONMENT | {"COLUMNS": "80"}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "\x1b" not in ran.stdout
    for name in ("Python", "packages", "labs", "cores", "PyTorch", "GPU", "bubblewrap", "torchrun"):
        assert f"\n{name} " in f"\n{ran.stdout}"
    for name in ("fp32", "tf32", "fp16", "bf16", "fp8"):
        assert f"\n  {name} " in ran.stdout
    assert "All that the course needs is here." in ran.stdout
    assert "Every step and every test runs here" in ran.stdout


@pytest.mark.parametrize(("version", "fits"), [((3, 10), False), ((3, 11), True), ((3, 13), True), ((3, 14), False)])
def test_python_has_to_be_one_that_is_tested(version: tuple[int, int], fits: bool) -> None:
    finding = doctor.python(version)
    assert fits == (not finding.remedy)
    assert fits or "make doctor PYTHON=python3.13" in finding.remedy


def test_missing_package_is_named() -> None:
    finding = doctor.packages(("click", "no-such-package"))
    assert "click " in finding.says
    assert finding.remedy.startswith("no-such-package missing: make clean")


def test_labkit_of_another_clone_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "src" / "labkit").mkdir(parents=True)
    assert str(ROOT) in doctor.repository(tmp_path, ROOT).remedy
    assert doctor.repository(ROOT, ROOT).remedy == ""


def test_folder_that_cannot_be_written_is_noticed(tmp_path: Path) -> None:
    (tmp_path / ".labkit").write_text("a file where the folder should be")
    assert "make the folder writable" in doctor.writable(tmp_path).remedy


def test_bubblewrap_that_is_not_there_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    assert "apt install bubblewrap" in doctor.bubblewrap().remedy


def test_bubblewrap_that_is_refused_has_another(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho 'No permissions to create new namespace' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: str(program))
    finding = doctor.bubblewrap()
    assert "No permissions to create new namespace" in finding.says
    assert "allow user namespaces" in finding.remedy


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no sandbox works")
def test_a_sandbox_is_started_and_imports_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    fine = doctor.sandbox()
    assert fine.says == f"{strongest()}: starts, and imports PyTorch" and not fine.remedy
    monkeypatch.setattr(doctor, "IN_A_SANDBOX", "import nopackage")
    finding = doctor.sandbox()
    assert finding.says.endswith("does not start: ModuleNotFoundError: No module named 'nopackage'")
    assert "packages of this Python's own folders alone" in finding.remedy and not finding.needed


def test_torchrun_that_is_not_there_has_a_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    monkeypatch.setattr(doctor.sys, "executable", str(tmp_path / "python"))
    assert "-m torch.distributed.run" in doctor.torchrun().remedy


def test_broken_torch_is_a_finding_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    findings = doctor.examine()
    (torch,) = [finding for finding in findings if finding.name == "PyTorch"]
    assert torch.needed and "make clean" in torch.remedy
    assert doctor.formats(findings) == []
    assert doctor.lines(findings)[-1].text == "Fix first: PyTorch."


def test_every_problem_is_followed_by_its_remedy() -> None:
    findings = [
        doctor.Finding("one", "fine"),
        doctor.Finding("two", "bad", "do this"),
        doctor.Finding("x", "y", "z", True),
    ]
    said = [line.text.strip() for line in doctor.lines(findings)]
    assert said[2] == "note: do this" and said[4] == "to do: z" and said[5] == "Fix first: x."


def test_formats_are_measured() -> None:
    speeds = {speed.name: speed for speed in formats.measured("cpu")}
    assert list(speeds) == ["fp32", "tf32", "fp16", "bf16", "fp8"]
    assert speeds["fp32"].native and speeds["fp32"].against_fp32 == 1.0
    assert speeds["fp16"].seconds > 0 and speeds["bf16"].seconds > 0
    assert not speeds["tf32"].native and "A100" in speeds["tf32"].why


@pytest.mark.parametrize("has_it", [True, False])
def test_hardware_decides_what_is_native(monkeypatch: pytest.MonkeyPatch, has_it: bool) -> None:
    """However busy the machine is: the times are shown and decide nothing."""
    times = iter(range(1, 10_000))
    monkeypatch.setattr(formats, "check_amp_available", lambda dtype, device: has_it)
    monkeypatch.setattr(formats, "interleaved_medians", lambda products, **_: {one: next(times) for one in products})
    speeds = {speed.name: speed for speed in formats.measured("cpu")}
    assert [speeds["fp16"].native, speeds["bf16"].native] == [has_it, has_it]


def test_formats_are_measured_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []
    monkeypatch.setattr(formats.torch, "set_num_threads", threads.append)
    before = formats.torch.get_num_threads()
    formats.measured("cpu")
    assert threads == [1, before]


def test_what_cannot_be_had_is_not_called_slow() -> None:
    assert not any("slower" in text for text in doctor.meaning("cuda", {}))


def test_every_package_that_a_student_gets_is_looked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {re.split(r"[<>=]", one)[0] for one in project["dependencies"]} == set(doctor.NEEDED)


@pytest.mark.parametrize(
    ("native", "said"),
    [
        ({"fp16": True}, "float16: the hardware has it"),
        ({"fp16": False}, "float16: emulated, slower than float32"),
        ({"bf16": True}, "bfloat16: the hardware has it"),
        ({"tf32": True}, "tf32: PyTorch multiplies matrices without it"),
        ({"fp8": True}, "fp8: this course stops at 16 bits"),
    ],
)
def test_meaning_follows_from_the_hardware(native: dict[str, bool], said: str) -> None:
    assert any(said in text for text in doctor.meaning("cuda", native))


def test_lab_whose_packages_are_missing_is_named(tmp_path: Path) -> None:
    course = small_course(tmp_path)
    (here,) = doctor.labs(course.root)
    assert (here.says, here.remedy) == ("lab07: all that they need is here", "")
    text = course.lab.paths.manifest.read_text()
    course.lab.paths.manifest.write_text(text.replace("minutes = 10", 'minutes = 10\nneeds = ["no-such-package"]'))
    _, lacking = doctor.labs(course.root)
    assert (lacking.name, lacking.needed) == ("lab07", False)
    assert lacking.says == "needs no-such-package; the tests of step 2 are skipped"
    assert lacking.remedy.endswith("-m pip install -c constraints.txt no-such-package")


def test_manifest_that_is_wrong_is_a_finding(tmp_path: Path) -> None:
    course = small_course(tmp_path)
    course.lab.paths.manifest.write_text("number = 7\n")
    (finding,) = doctor.labs(course.root)
    assert finding.needed and "lab.toml: title is missing" in finding.remedy
