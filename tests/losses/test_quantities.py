"""Numbers per token beside the loss: against brute force, with chunks forced; into the store, shared and resumed."""

import json

import numpy as np
import pytest
from stores import STEPS, S, T, run, some_tokens
from tiny import tiny_model

import zerosum
from zerosum import InputError
from zerosum.interference.labelled import StoreLosses, quantities_over_training
from zerosum.losses import measure_losses

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from zerosum.losses import _layout, batch_size  # noqa: E402
from zerosum.losses._model_losses import ModelLosses  # noqa: E402
from zerosum.losses.quantities import entropy, quantities, quantity_names  # noqa: E402

VOCABULARY = 61
SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}

__all__ = ["run"]


def brute_force(model, ids):
    """Entropies [S, T] from whole logits in float64, position by position; NaN at padding."""
    found = np.full((len(ids), ids.shape[1] - 1), np.nan)
    for s, row in enumerate(ids):
        length = int((row >= 0).sum())
        with torch.no_grad():
            logits = model(torch.as_tensor(row[None, : length - 1])).logits[0].double().numpy()
        for t in range(length - 1):
            q = np.exp(logits[t] - logits[t].max())
            q /= q.sum()
            found[s, t] = -sum(p * np.log(p) for p in q if p > 0)
    return found


@pytest.mark.parametrize("held", [None, 3 * VOCABULARY, VOCABULARY // 2])
@pytest.mark.parametrize("family", ["llama", "gemma2"])
def test_entropy_against_brute_force(family, held, monkeypatch):
    """held: numbers of logits held at a time; three positions, or one, force chunks."""
    more = {"head_dim": 8, "num_key_value_heads": 1, "pad_token_id": None} if family == "gemma2" else {}
    model = tiny_model(family, vocab_size=VOCABULARY, **SIZES, **more)
    with torch.no_grad():
        model.get_output_embeddings().weight.normal_(0, 1.0)
    ids = np.random.default_rng(0).integers(0, VOCABULARY, (7, 13))
    ids[2, 9:] = -1
    plain = ModelLosses(model)(ids)
    if held is not None:
        monkeypatch.setitem(batch_size.LOGITS, "cpu", held)
        monkeypatch.setattr("zerosum.losses._model_losses.measure_whole", None)  # only chunks are left
    measure = ModelLosses(model)
    numbers = measure.with_quantities(ids, quantities(["entropy"]))
    assert not measure.notes
    np.testing.assert_allclose(numbers["entropy"], brute_force(model, ids), atol=2e-5)
    np.testing.assert_allclose(numbers["loss"], plain, atol=1e-5)
    np.testing.assert_array_equal(measure(ids), numbers["loss"])


def test_whole_logits_give_the_same_in_parts():
    torch.manual_seed(0)
    table = torch.randn(VOCABULARY, VOCABULARY)
    ids = np.random.default_rng(0).integers(0, VOCABULARY, (4, 9))
    numbers = ModelLosses(lambda x: table[x]).with_quantities(ids, quantities(["entropy"]))
    q = table.double().softmax(-1)
    np.testing.assert_allclose(numbers["entropy"], -(q * q.log()).sum(-1).numpy()[ids[:, :-1]], atol=1e-5)


def test_entropy_at_its_ends():
    logits = torch.tensor(
        [[0.0, 0.0, 0.0, 0.0], [0.0, -torch.inf, -torch.inf, -torch.inf], [0.0, 0.0, -torch.inf, -200.0]]
    )
    values = entropy.measure(logits, torch.zeros(3, dtype=torch.int64))
    np.testing.assert_allclose(values, [np.log(4), 0.0, np.log(2)], atol=1e-6)


def test_a_store_holds_it_as_its_own_variable(run, tmp_path):
    store = measure_losses(tmp_path / "s", run.checkpoints, some_tokens(), also=["entropy", "entropy"])
    assert store["entropy"].dims == ("checkpoint", "sequence", "position")
    assert store["entropy"].dtype == np.float32
    assert store["entropy"].attrs == {"units": "nats", "long_name": "entropy of the prediction"}
    plain = measure_losses(tmp_path / "p", run.checkpoints, some_tokens())
    np.testing.assert_array_equal(store["loss"], plain["loss"])
    assert set(plain.data_vars) == {"loss"}
    for k, checkpoint in enumerate(run.checkpoints):
        from zerosum.checkpoints import load_model

        expected = brute_force(load_model(checkpoint), some_tokens().ids)
        np.testing.assert_allclose(store["entropy"][k], expected, atol=2e-5)


def test_means_over_tokens(run, tmp_path):
    store = measure_losses(tmp_path / "s", run.checkpoints, some_tokens(), also=["entropy"]).load()
    (record,) = quantities_over_training(store)
    assert (record.name, record.unit, record.steps) == ("entropy", "nats", STEPS)
    for mean, values in zip(record.means, store["entropy"].values, strict=True):
        assert mean.value == pytest.approx(np.nanmean(values.astype(float)))
        assert (mean.N, mean.interval, mean.unit) == (int(np.isfinite(values).sum()), None, "nats")
        assert "20" in mean.reason
    store["entropy"][1, 0, 0] = np.inf
    (record,) = quantities_over_training(store)
    assert (record.means[1].known, record.means[1].reason) == (False, "1 of its values are no number")


def test_pieces_are_continued_and_damage_is_measured_anew(run, tmp_path, monkeypatch):
    monkeypatch.setattr(_layout, "BLOCK", 2 * T)
    path = tmp_path / "s"
    first = measure_losses(path, run.checkpoints[:1], some_tokens(), also=["entropy"]).load()
    pieces = []
    # Without --also, a store that holds the quantity keeps measuring it.
    store = measure_losses(path, run.checkpoints, some_tokens(), on_piece=lambda *done: pieces.append(done)).load()
    assert len(pieces) == 2 * -(-S // 2)
    assert np.isfinite(store["entropy"].values).sum() == np.isfinite(store["loss"].values).sum()
    np.testing.assert_array_equal(store["entropy"][0], first["entropy"][0])
    chunk = path / "entropy" / "c" / "1" / "0" / "0"
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    with pytest.raises(InputError, match=r"entropy/c/1/0/0.*it measures these losses anew"):
        zerosum.open_store(path).load()
    pieces.clear()
    again = measure_losses(path, run.checkpoints, some_tokens(), on_piece=lambda *done: pieces.append(done)).load()
    assert len(pieces) == 1
    np.testing.assert_array_equal(again["entropy"], store["entropy"])


def test_a_store_without_it_is_refused_and_not_touched(run, tmp_path):
    path = tmp_path / "s"
    measure_losses(path, run.checkpoints, some_tokens())
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    with pytest.raises(InputError, match=r"measured without entropy. Choose another --store"):
        measure_losses(path, run.checkpoints, some_tokens(), also=["entropy"])
    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before


def test_unknown_names_are_refused_in_one_line(run, tmp_path):
    assert "entropy" in quantity_names()
    with pytest.raises(InputError, match=r"surprise: not a number per token. Choose one of entropy"):
        measure_losses(tmp_path / "s", run.checkpoints, some_tokens(), also=["surprise"])
    assert not (tmp_path / "s").exists()


def test_json_has_the_mean_as_an_estimate(run, tmp_path):
    store = measure_losses(tmp_path / "s", run.checkpoints, some_tokens(), also=["entropy"])
    text = json.dumps(StoreLosses.of(store).to_json(), allow_nan=False)
    rows = json.loads(text)["checkpoints"]
    assert rows[0]["entropy"].keys() == {"value", "interval", "N", "unit", "reason"}
    assert rows[0]["entropy"]["value"] == pytest.approx(float(store["entropy"][0].mean()))
