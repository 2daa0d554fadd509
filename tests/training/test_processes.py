import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zerosum.errors import InputError
from zerosum.training.processes import Report, side_by_side


def square(job: int, report: Report) -> int:
    report("begun", os.getpid())
    return job * job


def meet(job: tuple[Path, str, str], report: Report) -> bool:
    """Leave a sign and wait for the other's: succeeds only where both run at the same time."""
    folder, mine, other = job
    (folder / mine).touch()
    end = time.monotonic() + 30
    while not (folder / other).exists() and time.monotonic() < end:
        time.sleep(0.005)
    return (folder / other).exists()


def refuse(job: str, report: Report) -> None:
    if job == "bad":
        raise InputError("bad: cannot be used. Give a good one.")
    time.sleep(60)


def crash(job: int, report: Report) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def report_for_ever(job: Path, report: Report) -> None:
    job.write_text(str(os.getpid()))
    while True:
        report(0)
        time.sleep(0.01)


def test_results_come_in_order_and_reports_say_whose_they_are() -> None:
    told: list[tuple[int, str, int]] = []
    result = side_by_side(square, [3, 1, 2], workers=2, on_report=lambda *values: told.append(values))
    assert result == [9, 1, 4]
    assert {number for number, _, _ in told} == {0, 1, 2}
    assert len({process for _, _, process in told} | {os.getpid()}) == 4


def test_jobs_run_at_the_same_time(tmp_path: Path) -> None:
    assert side_by_side(meet, [(tmp_path, "a", "b"), (tmp_path, "b", "a")], workers=2) == [True, True]


def test_a_job_that_waits_for_another_is_asked_for_again_when_that_has_ended(tmp_path: Path) -> None:
    """The third job is there once the second is done, while the first still runs and waits for its sign."""
    asked = []

    def jobs():
        yield tmp_path, "first", "third"
        yield tmp_path, "second", "first"
        while not (tmp_path / "second").exists() or len(asked) < 1:
            asked.append(None)
            yield None
        yield tmp_path, "third", "second"

    assert side_by_side(meet, jobs(), workers=3) == [True, True, True]
    assert len(asked) == 1


def test_refusal_ends_all_and_arrives_as_it_was() -> None:
    begun = time.monotonic()
    with pytest.raises(InputError, match=r"^bad: cannot be used\. Give a good one\.$"):
        side_by_side(refuse, ["slow", "bad"], workers=2)
    assert time.monotonic() - begun < 30


def test_worker_that_is_killed_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="job 0: its process ended with code -9"):
        side_by_side(crash, [0], workers=1)


def test_no_jobs_no_results() -> None:
    assert side_by_side(square, [], workers=2) == []


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code = (
        "import sys; from pathlib import Path\n"
        "from test_processes import report_for_ever, side_by_side\n"
        "if __name__ == '__main__': side_by_side(report_for_ever, [Path(sys.argv[1])], workers=1)\n"
    )
    (tmp_path / "parent.py").write_text(code)
    paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "parent.py"), str(pid_file)], env=os.environ | {"PYTHONPATH": paths}
    )
    end = time.monotonic() + 30
    while not (pid_file.exists() and pid_file.read_text()) and parent.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    worker = int(pid_file.read_text())
    parent.kill()
    parent.wait()
    while _alive(worker) and time.monotonic() < end:
        time.sleep(0.01)
    assert not _alive(worker)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process}/status")
    return not (status.exists() and "\nState:\tZ" in status.read_text())  # a zombie has ended
