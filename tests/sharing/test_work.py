"""Pieces: each is measured once, by whichever process claims it; what is on disk is not measured again."""

import json
from threading import Thread

import pytest

from zerosum.sharing import Job, Records, ResultCache, free_first, take, work_through

PIECES = ("a", "b", "c", "d")


@pytest.fixture
def job(tmp_path):
    opened = Job(tmp_path / "job")
    opened.open()
    return opened


class Counting:
    """Measures, and remembers which pieces."""

    def __init__(self):
        self.pieces = []

    def __call__(self, piece):
        self.pieces.append(piece)
        return {"piece": piece}


def test_every_piece_is_measured_once_and_not_again(job):
    measure, seen = Counting(), []
    work_through(job, PIECES, Records(job.folder), measure, lambda finished: seen.append(len(finished)))
    assert measure.pieces == list(PIECES)
    assert seen == [0, 1, 2, 3, 4]
    work_through(job, PIECES, Records(job.folder), measure)
    assert measure.pieces == list(PIECES)
    assert Records(job.folder).read("b") == {"piece": "b"}
    assert not job.is_in_work()
    Records(job.folder).remove("b")
    work_through(job, PIECES, Records(job.folder), measure)
    assert measure.pieces[4:] == ["b"]


def test_pieces_of_others_are_waited_for(job):
    other, measure = job.claim("a"), Counting()
    worker = Thread(target=work_through, args=(job, PIECES, Records(job.folder), measure))
    worker.start()
    while len(measure.pieces) < 3:
        assert worker.is_alive()
    assert job.is_claimed("a")
    Records(job.folder).add("a", {"by": "the other"})
    other.release()
    worker.join(30)
    assert not worker.is_alive()
    assert measure.pieces == ["b", "c", "d"]
    assert Records(job.folder).read("a") == {"by": "the other"}


def test_a_failure_gives_the_claims_back(job):
    def fail(piece):
        raise ValueError(piece)

    with pytest.raises(ValueError, match="a"):
        work_through(job, PIECES, Records(job.folder), fail)
    assert not job.is_in_work()
    assert not Records(job.folder).finished()


def test_a_closed_job_ends_the_work(job):
    measure = Counting()
    job.close()
    assert job.claim("a") is None
    assert job.agree(dict) is None
    work_through(job, PIECES, Records(job.folder), measure)
    assert not measure.pieces


def test_the_first_decision_holds_for_all(job):
    assert job.agree(lambda: {"method": "exact"}) == {"method": "exact"}
    assert Job(job.folder).agree(lambda: {"method": "sampled"}) == {"method": "exact"}
    (job.folder / "agreed.json").write_text("{damaged")
    assert job.agree(lambda: {"method": "sampled"}) == {"method": "sampled"}


@pytest.mark.parametrize(("rank", "begins"), [(0, "a"), (1, "b"), (2, "c"), (3, "d")])
def test_under_torchrun_each_process_begins_at_its_share(job, monkeypatch, rank, begins):
    monkeypatch.setenv("RANK", str(rank))
    monkeypatch.setenv("WORLD_SIZE", "4")
    measure = Counting()
    work_through(job, PIECES, Records(job.folder), measure)
    assert measure.pieces[0] == begins
    assert sorted(measure.pieces) == list(PIECES)
    assert next(free_first(PIECES, lambda piece: False)) == begins


def test_items_that_are_free_come_first(tmp_path):
    busy = {"a", "c"}
    visited = []
    for piece in free_first(PIECES, lambda piece: piece in busy):
        visited.append(piece)
        busy.discard("a")
    assert visited == ["b", "a", "d", "c"]


def test_a_cache_holds_under_its_key_only(tmp_path):
    cache = ResultCache(tmp_path, {"seed": 0})
    cache.add("step-1", {"value": 1.5})
    assert (cache.read("step-1"), cache.finished()) == ({"value": 1.5}, {"step-1"})
    content = json.loads((tmp_path / "step-1.json").read_text())
    content.pop("sha256")
    assert content == {"how": {"seed": 0}, "measured": {"value": 1.5}}
    other = ResultCache(tmp_path, {"seed": 1})
    assert (other.read("step-1"), other.finished()) == (None, set())
    with pytest.raises(ValueError, match="JSON compliant"):
        cache.add("step-2", {"value": float("nan")})
    for damaged in ("{", "[]", '{"how": {"seed": 0}}', '{"how": {"seed": 0}, "measured": 1}'):
        cache.file("step-1").write_text(damaged)
        assert cache.read("step-1") is None
    assert [file.name for file in tmp_path.iterdir()] == ["step-1.json"]


def test_a_claim_without_a_result_is_of_no_consequence(job):
    with take(job.folder / "a.claim"):
        assert job.is_in_work()
    assert not job.is_in_work()
    assert not Records(job.folder).is_finished("a")
