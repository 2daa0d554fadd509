"""Weight files are located only inside their folder, hashed by content, and never executed."""

import json
import os
import pickle
import zipfile

import numpy as np
import pytest
from tiny import tiny_model

from zerosum import InputError
from zerosum.checkpoints import load_model
from zerosum.checkpoints.kinds import kind_of, lightning, nanogpt
from zerosum.checkpoints.weights import Weights, holds, inside

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def model():
    return tiny_model(hidden_size=16, intermediate_size=24, tie_word_embeddings=True)


@pytest.fixture(scope="module")
def folders(model, tmp_path_factory):
    """The same weights in one safetensors file, in shards, and pickled in torch's new and old format.

    The pickled files hold the tied matrix twice.
    """
    parent = tmp_path_factory.mktemp("formats")
    model.save_pretrained(parent / "single")
    model.save_pretrained(parent / "sharded", max_shard_size="4KB")
    for name, options in (("pickled", {}), ("old", {"_use_new_zipfile_serialization": False})):
        (parent / name).mkdir()
        (parent / name / "config.json").write_bytes((parent / "single" / "config.json").read_bytes())
        torch.save(model.state_dict(), parent / name / "pytorch_model.bin", **options)
    return parent


def hash_of(folder):
    return kind_of(folder).weights(folder).hash()


def test_the_same_weights_have_the_same_hash_in_every_format(folders):
    assert len(list((folders / "sharded").glob("*.safetensors"))) > 2
    assert len({hash_of(folders / name) for name in ("single", "sharded", "pickled", "old")}) == 1


@pytest.mark.parametrize("name", ["single", "sharded", "pickled", "old"])
def test_loads_from_every_format(model, folders, name):
    tokens = torch.arange(8)[None]
    loaded = load_model(folders / name)
    assert not loaded.training
    with torch.no_grad():
        torch.testing.assert_close(loaded(tokens).logits, model.eval()(tokens).logits, rtol=0, atol=1e-6)


def test_hash_depends_on_content_type_and_shape(tmp_path):
    from safetensors.torch import save_file

    weights = torch.arange(6, dtype=torch.float32)
    one_bit_off = weights.clone()
    one_bit_off[3] = np.nextafter(np.float32(3), np.float32(4)).item()
    variants = [weights, one_bit_off, weights.reshape(2, 3), weights.bfloat16(), weights.int()]
    hashes = set()
    for number, tensor in enumerate(variants):
        save_file({"w": tensor}, tmp_path / f"{number}.safetensors")
        torch.save({"other name": tensor, "not a tensor": 3}, tmp_path / f"{number}.bin")
        hashes_of_variant = {Weights((tmp_path / f"{number}{ending}",)).hash() for ending in (".safetensors", ".bin")}
        assert len(hashes_of_variant) == 1
        hashes |= hashes_of_variant
    assert len(hashes) == len(variants)


def test_hash_is_computed_again_when_the_file_changes(tmp_path):
    from safetensors.torch import save_file

    file = tmp_path / "a.safetensors"
    save_file({"w": torch.zeros(3)}, file)
    before = Weights((file,)).hash()
    save_file({"w": torch.ones(3)}, file)
    os.utime(file, ns=(1, 1))
    assert Weights((file,)).hash() != before


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../other/model.safetensors", "a/../../b", "", "link", "..\\x", "x/link2"]
)
def test_nothing_outside_the_folder_is_followed(tmp_path, name):
    folder = tmp_path / "checkpoint"
    (folder / "x").mkdir(parents=True)
    (tmp_path / "secret").write_text("")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "x" / "link2").symlink_to("../../secret")
    with pytest.raises(InputError, match="leads out of the folder"):
        inside(folder, name)


def test_links_inside_the_folder_and_in_the_hubs_cache(tmp_path):
    repo = tmp_path / "models--a--b"
    (repo / "blobs").mkdir(parents=True)
    snapshot = repo / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    for file, target in ((repo / "blobs" / "1", None), (snapshot / "w", "../../blobs/1"), (snapshot / "v", "w")):
        file.symlink_to(target) if target else file.write_text("")
    (snapshot / "out").symlink_to(tmp_path)
    assert inside(snapshot, "w") == snapshot / "w"
    assert inside(snapshot, "v") == snapshot / "v"
    with pytest.raises(InputError):
        inside(snapshot, "out")


@pytest.mark.parametrize("listed", ["../{}", "/etc/{}", "model.bin", None, 5])
def test_an_index_that_leads_elsewhere(folders, tmp_path, listed):
    (tmp_path / "c").mkdir()
    config = (folders / "sharded" / "config.json").read_bytes()
    (tmp_path / "c" / "config.json").write_bytes(config)
    name = listed.format("model.safetensors") if isinstance(listed, str) else listed
    index = {"metadata": {}, "weight_map": {"w": name} if listed else {}}
    (tmp_path / "c" / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match=r"not followed|lists") as caught:
        load_model(tmp_path / "c")
    assert "\n" not in str(caught.value)


def test_a_lost_shard_is_named(folders, tmp_path):
    import shutil

    shutil.copytree(folders / "sharded", tmp_path / "c")
    lost = sorted((tmp_path / "c").glob("*.safetensors"))[1]
    lost.unlink()
    with pytest.raises(InputError, match=f"no {lost.name} in it"):
        load_model(tmp_path / "c")


class Hostile:
    """Creates a folder when it is unpickled by a reader that executes pickles."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


HOSTILE = {
    "pytorch_model.bin": lambda hostile: {"w": hostile},
    "ckpt.pt": lambda hostile: {"model": {"w": hostile}, "model_args": {}, "iter_num": 1},
    "step=1.ckpt": lambda hostile: {"state_dict": {"w": hostile}, "pytorch-lightning_version": "2", "global_step": 1},
    "model.pt": lambda hostile: {"transformer.wte.weight": hostile},
}


@pytest.mark.parametrize("old_format", [False, True])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pickle_is_not_executed(tmp_path, name, old_format):
    folder, ran = tmp_path / "step1", tmp_path / "ran"
    folder.mkdir()
    file = folder / name
    torch.save(HOSTILE[name](Hostile(ran)), file, _use_new_zipfile_serialization=not old_format)
    path = file
    if name == "pytorch_model.bin":
        (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
        path = folder
    elif name == "model.pt":
        (folder / "config.yaml").write_text(
            "model: {d_model: 8, n_heads: 1, n_layers: 1, rope: true, include_bias: false}"
        )
        path = folder
    elif "ckpt" in name:
        (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    kind = kind_of(path)
    calls = (
        [lambda: load_model(path)]
        if old_format and kind is None
        else [
            lambda: load_model(path),
            lambda: kind.weights(path).hash(),
            lambda: kind.load(path, torch.float32, False),
        ]
    )
    for call in calls:
        with pytest.raises(InputError) as caught:
            call()
        assert "\n" not in str(caught.value)
        assert kind is None or "never executed" in str(caught.value)
    if path == file and kind is not None:
        with pytest.raises(InputError, match="never executed"):
            kind.progress(path)
    assert not ran.exists()
    # Check of the test itself: the same file does run code where that is allowed.
    torch.load(file, weights_only=False)
    assert ran.exists()


def test_hostile_yaml_is_not_executed(tmp_path):
    (tmp_path / "config.yaml").write_text(f"model: !!python/object/apply:os.mkdir ['{tmp_path / 'ran'}']")
    assert kind_of(tmp_path) is None
    assert not (tmp_path / "ran").exists()


def test_words_are_searched_without_unpickling(tmp_path):
    file = tmp_path / "a.pt"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/data.pkl", pickle.dumps({"model_args": Hostile(tmp_path / "ran"), "iter_num": 1}))
    assert holds(file, b"model_args", b"iter_num")
    assert not holds(file, b"state_dict")
    assert nanogpt.is_nanogpt(file)
    assert not lightning.is_lightning(file)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_plain_pickle_is_refused_without_a_warning(tmp_path, protocol, recwarn):
    file = tmp_path / "pytorch_model.bin"
    file.write_bytes(pickle.dumps(Hostile(tmp_path / "ran"), protocol))
    with pytest.raises(InputError, match=r"never executed. Save the weights as safetensors"):
        Weights((file,)).hash()
    assert not recwarn.list
    assert not (tmp_path / "ran").exists()


def test_the_first_broken_tensor_is_named(tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.ones(2), "b": torch.tensor([1.0, float("inf")])}, tmp_path / "w.safetensors")
    save_file({"a": torch.ones(2), "n": torch.ones(2, dtype=torch.int64)}, tmp_path / "v.safetensors")
    assert Weights((tmp_path / "w.safetensors",)).first_broken() == "b"
    assert Weights((tmp_path / "v.safetensors",)).first_broken() is None


@pytest.mark.parametrize("content", [b"", b"garbage" * 99, b"PK\x03\x04" + b"x" * 99, "truncated", "a list"])
def test_a_damaged_pickle_is_refused_in_one_line(tmp_path, content):
    file = tmp_path / "pytorch_model.bin"
    torch.save([1, 2] if content == "a list" else {"w": torch.ones(1000)}, file)
    if content == "truncated":
        file.write_bytes(file.read_bytes()[:-500])
    elif content != "a list":
        file.write_bytes(content)
    with pytest.raises(
        InputError, match="holds no weights" if content == "a list" else "damaged or truncated"
    ) as caught:
        Weights((file,)).hash()
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_random_damage_gives_a_hash_or_an_error_of_one_line(tmp_path):
    rng, refused = np.random.default_rng(0), []
    torch.save({"model": {"w": torch.ones(9)}, "model_args": {}, "iter_num": 1}, tmp_path / "ckpt.pt")
    from safetensors.torch import save_file

    save_file({"a": torch.ones(9), "b": torch.zeros(2, 2)}, tmp_path / "w.safetensors")
    for name in ("ckpt.pt", "w.safetensors"):
        file, original = tmp_path / name, (tmp_path / name).read_bytes()
        for _ in range(300):
            damaged = bytearray(original)
            for position in rng.integers(0, len(original), rng.integers(1, 5)):
                damaged[position] = rng.integers(0, 256)
            file.write_bytes(damaged[: rng.integers(1, len(original))] if rng.random() < 0.2 else damaged)
            holds(file, b"model_args")
            try:
                assert len(Weights((file,), nanogpt.select if name == "ckpt.pt" else dict).hash()) == 64
            except InputError as error:
                refused.append(str(error))
    assert 100 < len(refused) < 600
    assert not any("\n" in message for message in refused)
