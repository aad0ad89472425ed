"""The server of ranks: they serve until one fails, each run ends, and nothing is left when the server does."""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.observe.ranks import RANK_TIMEOUT, RankServer

RUNS: list[str] = []  # in a rank: the jobs that it has done


def work(job: str) -> str:
    """What a rank does in these tests."""
    import torch
    import torch.distributed as dist

    RUNS.append(job)
    rank = dist.get_rank()
    if job == f"die on {rank}":
        os._exit(7)
    if job == f"raise on {rank}":
        return json.dumps({"$": "raised", "type": "ValueError", "message": "no"})
    if job == "pid":
        return json.dumps({"pid": os.getpid()})
    if job == "fail":
        raise KeyError("nowhere")
    if job == "wait" and rank == 0:
        dist.barrier()
    if job == "loop":
        while True:
            pass
    if job == "leave a call behind" and rank == 0:
        dist.all_reduce(torch.ones(1), async_op=True)
    if job == "take the group apart":
        dist.destroy_process_group()
        return "1"
    if job.startswith(("die", "raise")):
        dist.barrier()
    return json.dumps([rank, dist.get_world_size(), RUNS])


@pytest.fixture(scope="module")
def server() -> Iterator[RankServer]:
    started = RankServer(work, "cpu", clean=False, path=Path(__file__), deadline=8.0)
    yield started
    pids = [started.process.pid, *children(started.process.pid)]
    started.close()
    assert all(ended(pid) for pid in pids)


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
        answers = server.run("answer", size)
        assert [json.loads(answer) for answer in answers] == [[rank, size, runs] for rank in range(size)]


@pytest.mark.parametrize("job", ["raise on 1", "die on 0", "fail", "leave a call behind", "take the group apart"])
def test_fresh_ranks_follow_a_failure(server: RankServer, job: str) -> None:
    server.run(job, 2)
    answers = server.run("answer", 2)
    assert [json.loads(answer) for answer in answers] == [[rank, 2, ["answer"]] for rank in range(2)]


def test_one_that_raises_does_not_let_the_others_wait(server: RankServer) -> None:
    raised, waited = (json.loads(answer) for answer in server.run("raise on 0", 2))
    assert (raised["type"], raised["message"]) == ("ValueError", "no")
    assert waited["$"] == "raised" and waited["type"] == RANK_TIMEOUT


def test_one_that_waits_is_told_with_its_line(server: RankServer) -> None:
    waited, done = (json.loads(answer) for answer in server.run("wait", 2))
    assert (waited["type"], done[0]) == (RANK_TIMEOUT, 1)
    assert waited["where"].endswith(": dist.barrier()")


def test_work_that_fails_is_told(server: RankServer) -> None:
    answers = [json.loads(answer) for answer in server.run("fail", 2)]
    assert [(answer["type"], answer["message"]) for answer in answers] == [("KeyError", "'nowhere'")] * 2


def test_one_that_dies_is_named(server: RankServer) -> None:
    answer = json.loads(server.run("die on 1", 2)[1])
    assert "rank 1 died without an answer" in answer["message"]


@pytest.mark.skipif(sys.platform != "linux", reason="the ranks' pids are read in /proc, which only Linux has")
@pytest.mark.parametrize("job", ["answer", "loop"])
def test_ranks_end_with_a_server_that_is_killed(job: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # what it cannot clear away
    server = RankServer(work, "cpu", clean=False)
    ranks = [json.loads(answer)["pid"] for answer in server.run("pid", 2)]
    server.connection.send((2, job, 2))  # nobody waits for the answer
    time.sleep(0.5)
    server.process.kill()
    server.process.join()
    assert all(ended(pid) for pid in ranks)
