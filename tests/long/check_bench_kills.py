"""A killed bench continues to the same results.

A bench of tiny runs (one arm, two seeds, three rates, all null arms) was killed (SIGKILL) at random moments of its
course, one after the other, and started again each time. Its results, but for seconds and memory, have to be equal to
those of a bench without a kill. runs: finished ones in the pool at the moment of the kill.
"""

import time
from pathlib import Path

import numpy as np
import yaml
from bench_content import tiny_content
from benches import findings, finished, killed, times_of_runs
from tiny_recipe import write_corpus
from warm_processes import start_verb

SEEDS = "0 and 1 for the runs, 0 for the moments"
KILLS = 5


def test_killed_at_random_moments_it_ends_the_same(tmp_path: Path, table, count) -> None:
    (tmp_path / "corpus").mkdir()
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump(tiny_content(write_corpus(tmp_path / "corpus")) | {"averages": ["last:4"]}))
    began = time.monotonic()
    process = start_verb("bench", file, "--out", tmp_path / "whole" / "tiny", "--jobs", "2", "--json")
    process.join()
    whole = time.monotonic() - began
    assert process.exitcode == 0
    place, rng, kills = tmp_path / "killed" / "tiny", np.random.default_rng(0), count(KILLS)
    rows = []
    for _ in range(kills):
        moment = float(rng.uniform(0.5, 0.9 * whole / kills + 1))
        end = time.monotonic() + moment
        was_killed = killed(file, place, lambda pool, end=end: time.monotonic() > end)
        pool = place.parent / "bench-runs"
        rows.append((moment, was_killed, len(times_of_runs(pool)) if pool.is_dir() else 0))
    bench = finished(file, place)
    equal = findings(bench) == findings(finished(file, tmp_path / "whole" / "tiny"))
    for number, (moment, was_killed, runs) in enumerate(rows, start=1):
        table.add(
            kill=number,
            after=f"{moment:.1f} s",
            killed="yes" if was_killed else "no, it had ended",
            runs=runs,
            results="equal" if equal else "not equal",
        )
    assert equal
    assert rows[0][1]
