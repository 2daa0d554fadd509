"""Revisions of a model on the hub: listing, choosing, downloading one by one, and using the cache offline."""

import errno
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from tiny import tiny_model

from zerosum import InputError
from zerosum.checkpoints import find_checkpoints, load_model, open_run
from zerosum.checkpoints.hub import HubRevision

hub = pytest.importorskip("huggingface_hub")

REPO = "someone/tiny"
STEPS = (0, 1, 512, 1000)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """HF_HOME with a cache of two revisions in the layout of huggingface_hub: refs, blobs, snapshots of links."""
    pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("home")
    repo = folder / "hub" / "models--someone--tiny"
    (repo / "refs").mkdir(parents=True)
    (repo / "blobs").mkdir()
    for step in (0, 1000):
        commit = f"{step:040}"
        (repo / "refs" / f"step{step}").write_text(commit)
        tiny_model(seed=step).save_pretrained(folder / "saved")
        (repo / "snapshots" / commit).mkdir(parents=True)
        for file in (folder / "saved").iterdir():
            file.rename(repo / "blobs" / f"{step}-{file.name}")
            (repo / "snapshots" / commit / file.name).symlink_to(f"../../blobs/{step}-{file.name}")
    (repo / "refs" / "main").write_text(f"{1000:040}")
    return folder


@pytest.fixture
def offline(home, monkeypatch):
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(home / "hub"))


@pytest.fixture
def online(monkeypatch):
    """A hub with branches and tags; returns the list of requests to it."""
    requests = []

    def refs(self, repo):
        requests.append(("refs", repo))
        branches = [SimpleNamespace(name=f"step{step}") for step in STEPS] + [SimpleNamespace(name="main")]
        return SimpleNamespace(branches=branches, tags=[SimpleNamespace(name="step512"), SimpleNamespace(name="v1")])

    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub.HfApi, "list_repo_refs", refs)
    return requests


def test_revisions_are_listed_without_a_download(online):
    run = open_run(REPO, revisions="step*")
    assert [(checkpoint.step, checkpoint.name) for checkpoint in run.checkpoints] == [
        (step, f"{REPO}@step{step}") for step in STEPS
    ]
    assert run.checkpoints[0].tokens_seen == 0
    assert str(run.path) == "someone--tiny"
    assert open_run(REPO).checkpoints == run.checkpoints  # the names main and v1 state no step
    assert [checkpoint.step for checkpoint in open_run(REPO, revisions="step1*").checkpoints] == [1, 1000]
    assert online == [("refs", REPO)] * 3


def test_only_one_format_of_weights_is_downloaded(online, monkeypatch, tmp_path):
    names = ["config.json", "model.safetensors", "pytorch_model.bin", "runs/model.safetensors", "tokenizer.json"]
    downloads = []

    def download(repo, *, revision, allow_patterns):
        downloads.append((repo, revision, allow_patterns))
        return str(tmp_path)

    monkeypatch.setattr(hub.HfApi, "list_repo_files", lambda self, repo, revision: names)
    monkeypatch.setattr(hub, "snapshot_download", download)
    assert open_run(f"{REPO}@step512").checkpoints[0].path == tmp_path
    names.remove("model.safetensors")
    HubRevision(REPO, "step2").folder()
    assert [(repo, revision) for repo, revision, _ in downloads] == [(REPO, "step512"), (REPO, "step2")]
    assert "model*.safetensors" in downloads[0][2]
    assert not any(".bin" in pattern for pattern in downloads[0][2])
    assert "pytorch_model*.bin" in downloads[1][2]


def test_offline_the_revisions_in_the_cache_are_used(offline):
    run = open_run(REPO, revisions="step*")
    assert [checkpoint.step for checkpoint in run.checkpoints] == [0, 1000]
    assert run.problems == ()
    first, last = (load_model(checkpoint).lm_head.weight for checkpoint in run.checkpoints)
    assert not first.equal(last)
    assert [checkpoint.step for checkpoint in find_checkpoints([f"{REPO}@step1000"]).checkpoints] == [1000]


def test_without_a_network_the_cache_is_used(home, online, monkeypatch):
    def unreachable(self, repo, revision):
        raise ConnectionError("no network")

    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(home / "hub"))
    monkeypatch.setattr(hub.HfApi, "list_repo_files", unreachable)
    folder = HubRevision(REPO, "step1000").folder()
    assert folder.name == f"{1000:040}"
    assert (folder / "model.safetensors").is_file()
    with pytest.raises(InputError, match="the hub cannot be reached"):
        HubRevision(REPO, "step1").folder()


def test_a_full_disk_is_reported_as_such(online, monkeypatch):
    def full(self, repo, revision):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(hub.HfApi, "list_repo_files", full)
    with pytest.raises(InputError, match=r"cannot be written to the local cache \(No space left on device\)"):
        HubRevision(REPO, "step1").folder()


@pytest.mark.parametrize(
    ("source", "revisions", "message"),
    [
        (REPO, "stage*", r"no revision in the local cache .* matches 'stage\*' \(available: main, step0, step1000\)"),
        ("someone/other", None, r"states a step \(available: none\)"),
    ],
)
def test_offline_and_not_in_the_cache(offline, source, revisions, message):
    with pytest.raises(InputError, match=message) as caught:
        open_run(source, revisions=revisions)
    assert "\n" not in str(caught.value)


def test_a_revision_that_states_no_step_is_taken_by_itself(offline):
    (checkpoint,) = open_run(f"{REPO}@main").checkpoints
    assert checkpoint.known_step is None
    with pytest.raises(InputError, match=r"@main: the name of this revision does not state the step"):
        find_checkpoints([f"{REPO}@main", f"{REPO}@step0"])


def test_offline_and_not_downloaded(offline):
    (checkpoint,) = open_run(f"{REPO}@step512").checkpoints
    with pytest.raises(InputError, match=r"step512: not in the local cache .* HF_HUB_OFFLINE is set"):
        checkpoint.weight_hash()


@pytest.mark.parametrize(
    ("error_type", "message"),
    [("RepositoryNotFoundError", "no model on the hub has this name"), ("GatedRepoError", "ask for access")],
)
def test_the_hubs_own_errors_are_one_line(online, monkeypatch, error_type, message):
    def refuse(self, repo):
        class Refused(Exception):
            pass

        Refused.__name__ = error_type
        raise Refused("401 Client Error\n\nhttps://...")

    monkeypatch.setattr(hub.HfApi, "list_repo_refs", refuse)
    with pytest.raises(InputError, match=message) as caught:
        open_run(REPO)
    assert "\n" not in str(caught.value)


def test_the_environment_is_honoured(home):
    """HF_HOME and HF_HUB_OFFLINE work in a separate process, as a user starts it."""
    script = f"from zerosum import open_run; print([checkpoint.step for checkpoint in open_run({REPO!r}).checkpoints])"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [0, 1000]
