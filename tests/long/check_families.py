"""Per-token gradients of model families against brute force.

A tiny model, with random weights, of every family that transformers knows as a causal language model:
`gradient_interference` with method auto and an update, against one backward pass for each token. The worst relative
difference is that of D_grad, C_g, C_ug, C_uG and of each token's gradient norms and first-order changes (relative to
the largest token). "general": the family has a layer that the exact method has no rule for, and the slower general path
measures it. "not tried": the sizes of the family have other names, so that its model stays large, or the small sizes do
not fit each other. "stopped": no result in 60 s of processor time and 8 GiB of memory.
"""

import multiprocessing
import resource

import pytest
from small_families import compare_with_brute_force, families

SEEDS = "0 for weights and tokens"
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["transformers", "zerosum.gradients._measurement"])


def limited(family, results):
    """In a process of its own: some families need hours or all memory."""
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    compare_with_brute_force(family, results)


@pytest.mark.parametrize("family", families())
def test_family_has_the_gradients_of_brute_force(family, table, count):
    if families().index(family) >= count(len(families())):
        pytest.skip("beyond --share")
    results = CONTEXT.SimpleQueue()
    process = CONTEXT.Process(target=limited, args=(family, results))
    process.start()
    process.join()
    row = {"method": "stopped"} if results.empty() else results.get()
    worst = row.get("worst")
    table.add(
        family=family,
        method=row["method"],
        N_tokens=row.get("N", ""),
        worst_relative_difference="" if worst is None else f"{worst:.1e}",
        dtype=row.get("dtype", ""),
        parameters=row.get("parameters", ""),
        reason=row.get("reason", ""),
    )
    assert worst is None or worst <= 1e-5
