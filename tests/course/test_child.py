"""Forked jobs come back with what they printed, however they end, and leave no process behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from labkit.observe import child
from labkit.observe.child import Child, Setting, run_forked

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


def outputs(job: Callable[[int], object], count: int, folder: Path) -> dict[int, str]:
    """What each job wrote to descriptors 1 and 2; pytest's own sys.stdout would write elsewhere."""
    out, err = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115  (the streams stay open)
    with redirect_stdout(out), redirect_stderr(err):
        return dict(run_forked(job, count, folder))


def ends(pid: int) -> bool:
    """No process of this number is left within some seconds; a zombie that nobody has waited for yet is none."""
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        state = Path(f"/proc/{pid}/stat")
        if state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.02)
    return False


def test_every_job_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    seen = outputs(lambda index: print(index, os.getpid()), 5, tmp_path)
    assert sorted(seen) == [0, 1, 2, 3, 4]
    assert all(text.split()[0] == str(index) for index, text in seen.items())
    assert len({text.split()[1] for text in seen.values()} | {str(os.getpid())}) == 6
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system does not say which cores there are")
def test_jobs_that_are_kept_apart_do_not_share_a_core(tmp_path: Path) -> None:
    """Each waits for the other, so that both run at once."""
    cores = os.sched_getaffinity(0)

    def job(index: int) -> None:
        own = sorted(os.sched_getaffinity(0))
        (tmp_path / f"cores-{index}").write_text(" ".join(map(str, own)))
        while not (tmp_path / f"cores-{1 - index}").exists():
            time.sleep(0.01)

    for _ in run_forked(job, 2, tmp_path, workers=2, apart=True):
        pass
    taken = [(tmp_path / f"cores-{index}").read_text() for index in range(2)]
    assert len(set(taken)) == min(2, len(cores)) and all(one.isdigit() for one in taken)
    assert os.sched_getaffinity(0) == cores


def test_job_changes_nothing_here(tmp_path: Path) -> None:
    kept: list[int] = []
    outputs(kept.append, 2, tmp_path)
    assert kept == []


def test_results_come_as_the_jobs_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)

    def job(index: int) -> None:
        """The first goes on until the result of the last is known."""
        while index == 0 and not (tmp_path / "known").exists():
            time.sleep(0.01)

    order = []
    for index, _ in run_forked(job, 3, tmp_path):
        order.append(index)
        if index == 2:
            (tmp_path / "known").touch()
    assert order == [1, 2, 0]


def test_both_streams_come_back_and_bad_bytes_do_no_harm(tmp_path: Path) -> None:
    def job(index: int) -> None:
        os.write(2, b"warning \xff\n")
        print("result")

    assert outputs(job, 1, tmp_path) == {0: "warning \ufffd\nresult\n"}


@pytest.mark.parametrize("error", [ValueError("wrong"), SystemExit("wrong"), KeyboardInterrupt("wrong")], ids=repr)
def test_job_that_raises_shows_its_traceback(tmp_path: Path, error: BaseException) -> None:
    def job(index: int) -> None:
        if index == 0:
            raise error
        print("fine")

    seen = outputs(job, 2, tmp_path)
    assert "Traceback" in seen[0] and f"{type(error).__name__}: wrong" in seen[0]
    assert seen[1] == "fine\n"


def test_job_that_dies_is_an_answer_too(tmp_path: Path) -> None:
    def job(index: int) -> None:
        os.write(1, b"before")
        os.kill(os.getpid(), signal.SIGKILL)

    assert outputs(job, 1, tmp_path) == {0: "before"}


def start_another(and_then: Callable[[], object]) -> Callable[[int], None]:
    """A job that prints its own pid and that of a process that it has started, and then does this."""

    def job(index: int) -> None:
        child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
        os.write(1, f"{os.getpid()} {child.pid}".encode())
        and_then()

    return job


def test_job_over_the_limit_is_killed_with_all_that_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "TIME_LIMIT", 3.0)
    seen = outputs(start_another(lambda: time.sleep(600)), 1, tmp_path)
    pids, _, says = seen[0].partition("\n")
    assert says == "ended at its limit of 3 s\n"
    assert len(pids.split()) == 2
    assert all(ends(int(pid)) for pid in pids.split())


def test_job_that_ignores_signals_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def job(index: int) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
            signal.signal(number, signal.SIG_IGN)
        while True:
            time.sleep(1)

    monkeypatch.setattr(child, "TIME_LIMIT", 0.3)
    assert outputs(job, 1, tmp_path) == {0: "\nended at its limit of 0.3 s\n"}


def test_job_that_ends_leaves_no_process_behind(tmp_path: Path) -> None:
    seen = outputs(start_another(lambda: None), 1, tmp_path)
    assert all(ends(int(pid)) for pid in seen[0].split())


def test_whoever_stops_listening_leaves_no_process_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)

    def job(index: int) -> None:
        (tmp_path / f"pid-{index}").write_text(str(os.getpid()))
        time.sleep(60 if index else 0.5)

    results = run_forked(job, 2, tmp_path)
    assert next(results)[0] == 0
    results.close()
    assert ends(int((tmp_path / "pid-1").read_text()))


def test_other_children_of_this_process_are_left_alone(tmp_path: Path) -> None:
    """Their exit code belongs to the code that started them."""
    other = subprocess.Popen([sys.executable, "-S", "-c", "raise SystemExit(7)"])
    outputs(lambda index: time.sleep(0.3), 1, tmp_path)
    assert other.wait() == 7


def test_place_of_a_hang_in_a_child_of_the_child_is_found_each_time(tmp_path: Path) -> None:
    """Only one of the two may write where it is: two at once mix up their words."""
    lab, started = tmp_path / "lab.py", tmp_path / "started"
    lab.write_text("def hangs(started):\n    started.touch()\n    while True:\n        pass\n")
    names: dict = {}
    exec(compile(lab.read_text(), lab, "exec"), names)

    def job() -> None:
        if os.fork():
            time.sleep(60)
        names["hangs"](started)

    for number in range(10):
        hangs = Child.fork(job, Setting(output=tmp_path / "output", stack=tmp_path / f"stack-{number}"))
        try:
            while not started.exists():
                time.sleep(0.01)
            place = hangs.where(lab, below=True)
            assert place is not None and place[1] == "hangs"
        finally:
            hangs.kill()
            started.unlink()


def test_what_a_child_makes_of_its_files_holds_nobody_up(tmp_path: Path) -> None:
    """A link is not followed, a FIFO is not waited for, and of a large file the last is read."""
    (tmp_path / "link").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "large").write_text("a" * child.LONGEST + "end")
    seen = [Child(0, Setting(tmp_path / name, group=False)).output for name in ("link", "fifo", "large", "none")]
    assert [seen[0], seen[1], seen[3]] == ["", "", ""]
    assert len(seen[2]) == child.LONGEST and seen[2].endswith("end")
