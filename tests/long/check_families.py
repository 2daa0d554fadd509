"""Losses, gradients and dissent of model families against brute force.

A tiny model, with random weights, of every family that transformers knows as a causal language model: losses, gradients
with method auto and with method general (with an update), and dissent, against one plain backward pass for each token.
The differences are the largest of any token or number: of losses relative to the loss; of gradients those of D_grad,
C_g, C_ug, C_uG and each token's gradient norms and first-order changes, relative to the largest token; of dissent
absolute. Where dtype is float64, layers that ask for float32 (norms, softmax, rotary embeddings) get float64, too, and
gradients have to agree to 1e-9; losses are stored in float32. Method "general": the family has a layer that the exact
method has no rule for. "refused": one line says why. "not tried": the sizes of the family have other names, so that its
model stays large, or the small sizes do not fit each other. "stopped": no result in 60 s of processor time and 8 GiB of
memory.
"""

import multiprocessing
import os
import resource
import traceback

import pytest
from small_families import compare_with_brute_force, families

SEEDS = "0 for weights and tokens"
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["transformers", "zerosum.gradients._measurement"])


def limited(family, results):
    """In a process of its own: some families need hours or all memory."""
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        compare_with_brute_force(family, results)
    except Exception as error:  # noqa: BLE001 - the table shows it, and the check fails
        traceback.print_exc()
        results.put({"method": "traceback", "reason": f"{type(error).__name__}: {error}"[:200]})


@pytest.mark.parametrize("family", families())
def test_family_is_measured_as_by_brute_force(family, table, count):
    if families().index(family) >= count(len(families())):
        pytest.skip("beyond --share")
    results = CONTEXT.SimpleQueue()
    process = CONTEXT.Process(target=limited, args=(family, results))
    process.start()
    process.join()
    row = {"method": "stopped"} if results.empty() else results.get()
    differences = {name: row.get(name) for name in ("losses", "auto", "general", "dissent")}
    table.add(
        family=family,
        method=row["method"],
        **{name: "" if worst is None else f"{worst:.1e}" for name, worst in differences.items()},
        dtype=row.get("dtype", ""),
        parameters=row.get("parameters", ""),
        reason=" ".join(row.get("reason", "").split()).replace("|", "/"),
    )
    assert row["method"] != "traceback"
    most = dict.fromkeys(differences, 1e-5)
    if row.get("dtype") == "float64":
        most |= {"auto": 1e-9, "general": 1e-9, "dissent": 1e-9}
    assert [name for name, worst in differences.items() if worst is not None and not worst <= most[name]] == []
