"""The levels of isolation: which work here, what each keeps its promise about, and what is said where one does not."""

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from page_checks import ROOT

from labkit.course.errors import LabError
from labkit.judge.boxed import level_for
from labkit.observe import isolation, users
from labkit.observe.isolation import LEAST, Box, Level, copy_course, level_of, strongest, what_works
from labkit.observe.users import some_uid


def made(level: Level, folder: Path, uid: int | None) -> Box:
    """A box with what its processes need to confine themselves."""
    copy_course(folder / "code", LEAST)
    return Box(level, folder, uid, folder / "code")


def test_levels_are_ordered() -> None:
    assert Level.BUBBLEWRAP.reaches(Level.LANDLOCK) and not Level.LIMITS.reaches(Level.LANDLOCK)
    assert Level.NONE.reaches(Level.NONE)


def test_the_strongest_level_is_one_that_works() -> None:
    reasons = what_works()
    assert reasons[Level.NONE] == ""
    assert level_of("best") == strongest() == [level for level in Level if not reasons[level]][-1]


def test_a_level_that_does_not_work_is_refused_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = dict.fromkeys(Level, "") | {Level.BUBBLEWRAP: "bubblewrap is not installed"}
    monkeypatch.setattr(isolation, "what_works", lambda: reasons)
    assert level_of("best") == Level.LANDLOCK
    with pytest.raises(LabError) as refused:
        level_of("bubblewrap")
    assert str(refused.value) == (
        "--isolation bubblewrap does not work here: bubblewrap is not installed; the strongest that does is landlock"
    )


def test_a_machine_without_bubblewrap_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "apt-get install bubblewrap" in isolation._refusal(Level.BUBBLEWRAP)


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("bwrap"), reason="root alone can join its own namespaces")
def test_a_level_that_keeps_nothing_away_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe is real: a bubblewrap that only runs its program is found out."""
    lets_all_through = ["bwrap", "--unshare-user", "--unshare-pid", "--as-pid-1", "--dev-bind", "/", "/", "--"]
    monkeypatch.setattr(isolation, "_bwrap", lambda box: lets_all_through)
    monkeypatch.setattr(isolation, "some_uid", lambda: (None, None))  # another user might not even start Python
    monkeypatch.setattr(Box, "home", property(lambda box: box.folder / "home"))
    said = isolation._refusal(Level.BUBBLEWRAP)
    assert "isolation.py" in said and "network" in said


def test_a_gpu_is_had_at_the_lowest_level_alone() -> None:
    with pytest.raises(LabError, match="give --isolation limits"):
        level_for("best", "cuda")


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone takes another user")
def test_no_two_boxes_share_a_user() -> None:
    (one, holder), (other, another) = some_uid(), some_uid()
    assert one is not None and other is not None and one != other
    holder.close()
    another.close()


HOLDS = """
import fcntl, os, socket, time
_, _, folder, uid = sys.argv
name = socket.socket(socket.AF_UNIX)
with suppress(OSError):
    name.bind(f"\\0labkit-user-{uid}")
kept = []
for attempt in (lambda: os.path.join(folder, uid), lambda: folder):
    with suppress(OSError):
        kept.append(open(attempt()))
        fcntl.flock(kept[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
print("held", flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone takes another user")
@pytest.mark.parametrize("level", [Level.LIMITS, Level.LANDLOCK, Level.BUBBLEWRAP])
def test_a_box_keeps_no_user_from_the_others(level: Level, monkeypatch: pytest.MonkeyPatch) -> None:
    if reason := what_works()[level]:
        pytest.skip(f"--isolation {level} does not work here: {reason}")
    (uid, holder), (wanted, before) = some_uid(), some_uid()
    before.close()
    monkeypatch.setattr(users, "OF_A_MOMENT", (wanted,))
    with TemporaryDirectory(prefix="labkit-box-") as folder:
        box = made(level, Path(folder), uid)
        with box.start(HOLDS, [str(users.USERS), str(wanted)]) as process:
            assert process.stdout.readline() == b"held\n"
            found, after = some_uid()
            assert found == wanted
            with pytest.raises(LabError, match="all users of a moment are taken"):
                some_uid()
            after.close()
            process.kill()
            box.close()
    holder.close()


SHOWS = """
import os, resource
print(json.dumps({
    "environment": dict(os.environ), "uid": os.getuid(), "home": os.listdir("."), "open": os.listdir("/proc/self/fd"),
    "groups": os.getgroups(),
}))
"""


@pytest.mark.parametrize("level", [Level.LIMITS, Level.LANDLOCK, Level.BUBBLEWRAP])
def test_a_box_holds_nothing_of_the_judge(level: Level, monkeypatch: pytest.MonkeyPatch) -> None:
    if reason := what_works()[level]:
        pytest.skip(f"--isolation {level} does not work here: {reason}")
    monkeypatch.setenv("LABKIT_SECRET", "of the judge")
    uid, holder = some_uid()
    with TemporaryDirectory(prefix="labkit-box-") as folder:
        box = made(level, Path(folder), uid)
        process = box.start(SHOWS)
        said, complaint = process.communicate()
        box.close()
    assert process.returncode == 0, complaint
    found = json.loads(said)
    assert "of the judge" not in found["environment"].values()
    assert found["uid"] == (os.getuid() if uid is None else uid)
    below = [Path(path).relative_to(box.home).parts[0] for path in (sys.prefix, sys.base_prefix, box.code)
             if Path(path).is_relative_to(box.home)]  # fmt: skip
    assert set(found["home"]) <= set(below)
    assert set(found["open"]) <= {"0", "1", "2", "3"}  # the last is the folder of them itself
    assert uid is None or found["groups"] == []
    if holder is not None:
        holder.close()


def test_ci_installs_bubblewrap() -> None:
    assert "bubblewrap" in (ROOT / ".ci" / "run").read_text()


def test_a_process_of_the_box_ends_with_its_judge(tmp_path: Path) -> None:
    """SIGKILL of the judge leaves nothing that waits."""
    if reason := what_works()[Level.BUBBLEWRAP]:
        pytest.skip(f"--isolation bubblewrap does not work here: {reason}")
    script = f"""
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from labkit.observe.isolation import LEAST, Box, Level, copy_course
from labkit.observe.users import some_uid
uid, holder = some_uid()
folder = Path({str(tmp_path)!r})
copy_course(folder / "code", LEAST)
box = Box(Level.BUBBLEWRAP, folder, uid, folder / "code")
process = box.start("import time; print('up', flush=True); time.sleep(600)")
process.stdout.readline()
print("up", flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as judge:
        assert judge.stdout.readline() == "up\n"
        assert _processes_that_name(tmp_path)
        judge.kill()
    while _processes_that_name(tmp_path):  # the test's own limit ends it
        time.sleep(0.02)


def _processes_that_name(folder: Path) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found += [path.parent.name] if str(folder).encode() in path.read_bytes() else []
    return found
