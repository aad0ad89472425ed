"""The server of ranks: they serve until one fails, each run ends, and nothing is left when the server does."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.observe.answer import Answer, Ending
from labkit.observe.channel import LENGTH, Channel
from labkit.observe.deadline import OutOfTime, limited
from labkit.observe.rank_group import Shape
from labkit.observe.ranks import RankServer
from labkit.observe.values import LIMITS, Raised

SECONDS = 8.0  # for a job

RUNS: list[str] = []  # in a rank: the jobs that it has done


def work(job: str) -> Answer:
    """What a rank does in these tests."""
    import torch
    import torch.distributed as dist

    RUNS.append(job)
    if job.startswith("bare"):
        return Answer(bare(job))
    rank = dist.get_rank()
    if job == f"die on {rank}":
        os._exit(7)
    if job == f"abort on {rank}":
        os.abort()
    if job == f"raise on {rank}":
        return Answer.of_error(ValueError("no"))
    if job in BYTES and rank == 0:
        with open(channel_number(), "wb", closefd=False) as channel:
            channel.write(BYTES[job])
        os._exit(0)
    if job == "pid":
        return Answer({"pid": os.getpid()})
    if job == "fail":
        raise KeyError("nowhere")
    if job == "return a function":
        return Answer(work)
    if job == "wait" and rank == 0:
        dist.barrier()
    if job == "loop":
        while True:
            pass
    if job == "leave a call behind" and rank == 0:
        dist.all_reduce(torch.ones(1), async_op=True)
    if job == "other shapes":
        dist.all_reduce(torch.ones(1 + 1000 * rank))
    if job == "take the group apart":
        dist.destroy_process_group()
        return Answer(1)
    if job.startswith(("die", "raise")):
        dist.barrier()
    return Answer([rank, dist.get_world_size(), RUNS])


FORGED = b'5\n[{"ending": "machinery", "says": "", "where": "", "printed": ""}, 0, null, null]'
BYTES = {  # what a rank sends instead of an answer
    "nothing": b"",
    "garbage": b"\0" * 6,
    "more garbage": LENGTH.pack(5) + b"\xff" * 5,
    "no answer": LENGTH.pack(6) + b"5\n[{}]",
    "a long reply": LENGTH.pack(LIMITS.bytes + 1),
    "a torn reply": LENGTH.pack(100) + b"5\n[",
    "deep": LENGTH.pack(200_002) + b"5\n" + b"[" * 200_000,
    "a pickle": LENGTH.pack(2 + 20) + b"5\n" + b"cos\nsystem\n(S'id'\ntR.",
    "an excuse": LENGTH.pack(len(FORGED)) + FORGED,
}


def channel_number() -> int:
    """The descriptor on which this rank answers: a submission can find it too."""
    links = {int(one.name): os.readlink(one) for one in Path("/proc/self/fd").iterdir() if one.is_symlink()}
    mine = sys._getframe(2).f_locals["channel"]
    assert "socket" in links[mine.fileno()]
    return mine.fileno()


def bare(job: str) -> list[object]:
    """Forms a group as a lab's own code does, and takes it apart again, or forgets to."""
    import torch
    import torch.distributed as dist

    found = [os.environ[name] for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")]
    before = dist.is_initialized()
    dist.init_process_group("gloo")
    ones = torch.ones(1)
    dist.all_reduce(ones)
    if job != "bare and left":
        dist.destroy_process_group()
    return [found, before, ones.item(), RUNS]


@pytest.fixture(scope="module")
def server() -> Iterator[RankServer]:
    started = RankServer(work, "cpu", clean=False, path=Path(__file__))
    yield started
    pids = [started.child.pid, *children(started.child.pid)]
    started.close()
    assert all(ended(pid) for pid in pids)


def answers(server: RankServer, job: str, size: int = 2) -> list[object]:
    """What the ranks answered; fails if one did not."""
    found = server.run(job, Shape(size), SECONDS)
    assert [answer.ending for answer in found] == [Ending.RETURNED] * size, found
    return [answer.value for answer in found]


def children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()] if path.exists() else []


def ended(pid: int) -> bool:
    """Whether the process ends within some seconds; one that nobody has asked for its exit code has ended too."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("size", [3, 1, 2])
def test_the_same_ranks_do_one_job_after_another(server: RankServer, size: int) -> None:
    for runs in (["answer"], ["answer", "answer"]):
        assert answers(server, "answer", size) == [[rank, size, runs] for rank in range(size)]


FAILURES = ["raise on 1", "die on 0", "leave a call behind", "take the group apart", "return a function"]


@pytest.mark.parametrize("job", FAILURES)
def test_fresh_ranks_follow_a_failure(server: RankServer, job: str) -> None:
    server.run(job, Shape(2), SECONDS)
    assert answers(server, "answer") == [[rank, 2, ["answer"]] for rank in range(2)]


def test_the_same_ranks_go_on_if_all_raised_before_a_call(server: RankServer) -> None:
    answers(server, "answer")
    server.run("fail", Shape(2), SECONDS)
    for _, _, runs in answers(server, "answer"):
        assert runs[-3:] == ["answer", "fail", "answer"]


def test_one_that_raises_does_not_let_the_others_wait(server: RankServer) -> None:
    raised, waited = server.run("raise on 0", Shape(2), 60.0)
    assert raised.raised == Raised("ValueError", "no")
    assert waited.ending == Ending.TIMEOUT


def test_one_that_waits_is_told_with_its_line(server: RankServer) -> None:
    waited, done = server.run("wait", Shape(2), 2.0)
    assert (waited.ending, waited.says, done.value[0]) == (Ending.TIMEOUT, "rank 0 gave no answer within 2 s", 1)
    assert waited.where.endswith(": dist.barrier()")


def test_work_that_fails_is_told(server: RankServer) -> None:
    assert [answer.raised for answer in server.run("fail", Shape(2), SECONDS)] == [Raised("KeyError", "'nowhere'")] * 2


def test_what_is_no_value_is_malformed(server: RankServer) -> None:
    (answer,) = server.run("return a function", Shape(1), SECONDS)
    assert (answer.ending, answer.says) == (Ending.MALFORMED, "returned an object of type function")


@pytest.mark.parametrize(("job", "how"), [("die on 1", "exit code 7"), ("abort on 1", "ended by SIGABRT: gloo ends")])
def test_one_that_dies_is_named(server: RankServer, job: str, how: str) -> None:
    answer = server.run(job, Shape(2), SECONDS)[1]
    assert answer.ending == Ending.CRASHED
    assert answer.says.startswith(f"rank 1 died without an answer, {how}")


def test_ranks_that_disagree_on_shapes_crash(server: RankServer) -> None:
    crashed = [one for one in server.run("other shapes", Shape(2), SECONDS) if one.ending == Ending.CRASHED]
    assert crashed
    assert all("dist.all_reduce(" in one.where for one in crashed), "the line that it died in"


@pytest.mark.skipif(sys.platform != "linux", reason="a rank finds its channel in /proc, which only Linux has")
@pytest.mark.parametrize("job", BYTES)
def test_garbage_from_a_rank_is_malformed(server: RankServer, job: str) -> None:
    answer = server.run(job, Shape(2), SECONDS)[0]
    assert answer.ending == (Ending.CRASHED if job == "nothing" else Ending.MALFORMED)
    assert answers(server, "answer") == [[rank, 2, ["answer"]] for rank in range(2)]


def test_bare_ranks_form_their_group_themselves(server: RankServer) -> None:
    for runs in (["bare"], ["bare", "bare"]):
        found = server.run("bare", Shape(2, "bare"), SECONDS)
        assert [answer.value for answer in found] == [[[rank, "2", rank], False, 2.0, runs] for rank in "01"], found


def test_bare_ranks_that_leave_a_group_behind_are_replaced(server: RankServer) -> None:
    server.run("bare and left", Shape(2, "bare"), SECONDS)
    assert [answer.value[3] for answer in server.run("bare", Shape(2, "bare"), SECONDS)] == [["bare"]] * 2


def test_a_server_that_is_gone_is_an_error_of_the_machinery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # what it cannot clear away
    server = RankServer(work, "cpu", clean=False)
    os.kill(server.child.pid, signal.SIGKILL)
    (answer,) = server.run("answer", Shape(1), SECONDS)
    assert (answer.ending, answer.says) == (Ending.MACHINERY, "the server of ranks is gone (ended by SIGKILL)")
    server.close()


def test_ranks_that_cannot_start_are_an_error_of_the_machinery(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "no-such-interface")
    server = RankServer(work, "cpu", clean=False)
    (answer, _) = server.run("answer", Shape(2), SECONDS)
    server.close()
    assert answer.ending == Ending.MACHINERY
    assert "could not start" in answer.says and "no-such-interface" in answer.says


@pytest.mark.skipif(sys.platform != "linux", reason="the ranks' pids are read in /proc, which only Linux has")
@pytest.mark.parametrize("job", ["answer", "loop"])
def test_ranks_end_with_a_server_that_is_killed(job: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # what it cannot clear away
    server = RankServer(work, "cpu", clean=False)
    ranks = [value["pid"] for value in answers(server, "pid")]
    server.channel.send(json.dumps([2, job, 2, "joined", SECONDS]).encode())  # nobody waits for the answer
    time.sleep(0.5)
    server.child.kill()
    assert all(ended(pid) for pid in ranks)


TWO_SERVERS = """
import course.test_ranks
from labkit.observe.rank_group import Shape
from labkit.observe.ranks import RankServer

one = RankServer(course.test_ranks.work, "cpu", clean=True)
other = RankServer(course.test_ranks.work, "cpu", clean=True, close=(one.channel.fileno(),))
for server in (one, other):
    server.run(None, Shape())
    server.close()
    print(server.child.code)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a server is forked on Linux alone")
def test_a_server_ends_at_once_while_another_one_runs(tmp_path: Path) -> None:
    paths = os.pathsep.join(str(Path(__file__).parents[2] / name) for name in ("src", "tests"))
    environment = os.environ | {"PYTHONPATH": paths, "TMPDIR": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", TWO_SERVERS], env=environment, capture_output=True, text=True)
    assert (ran.stdout.split(), ran.stderr) == (["0", "0"], "")
    assert not list(tmp_path.glob("labkit-ranks-*"))


def test_a_message_whose_receive_an_alarm_ends_is_received_later() -> None:
    ours, theirs = Channel.pair()
    theirs.end.sendall(LENGTH.pack(5) + b"hel")
    with pytest.raises(OutOfTime), limited(0.05):
        ours.receive()
    theirs.end.sendall(b"lo")
    theirs.send(b"next")
    assert (ours.receive(), ours.receive()) == (b"hello", b"next")
