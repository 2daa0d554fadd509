"""Checkpoints on the Hugging Face hub, one per revision. The hub's cache, HF_HOME and HF_HUB_OFFLINE work as usual."""

import errno
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from zerosum.checkpoints.names import parse_name
from zerosum.errors import InputError, MissingExtra

REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_OTHER_FILES = ("*.json", "*.yaml", "*.txt", "*.model", "*.py")  # code is downloaded, but not run
_WEIGHTS = ("model*.safetensors", "pytorch_model*.bin", "model.pt")  # only the first that exists is downloaded
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EPERM)
_SETTINGS = ("config.json", "config.yaml")


@dataclass(frozen=True)
class HubRevision:
    """A branch, tag or commit of a model on the hub. Nothing is downloaded before `folder` is called."""

    repo: str
    revision: str

    @property
    def name(self) -> str:
        """OWNER/NAME@REVISION."""
        return f"{self.repo}@{self.revision}"

    def folder(self) -> Path:
        """Its folder in the local cache; missing files are downloaded first, unless HF_HUB_OFFLINE is set.

        If the hub has the weights in several formats, only one is downloaded: safetensors, else `.bin`, else `.pt`.
        Raises InputError where the revision can neither be downloaded nor found in the cache.
        """
        hub = _hub()
        if not hub.constants.is_offline_mode():
            return _download(self)
        if (cached := self.cached()) is None:
            raise InputError(
                f"{self.name}: not in the local cache ({hub.constants.HF_HUB_CACHE}), and HF_HUB_OFFLINE is set. "
                "Unset it to download."
            )
        return cached

    def cached(self) -> Path | None:
        """Its folder in the local cache as it is now, without asking the hub; None where it is not cached."""
        hub = _hub()
        paths = (hub.try_to_load_from_cache(self.repo, name, revision=self.revision) for name in _SETTINGS)
        return next((Path(path).parent for path in paths if isinstance(path, str)), None)


@cache  # asks the hub once per process, however often the folder is needed
def _download(revision: HubRevision) -> Path:
    hub, repo, name = _hub(), revision.repo, revision.revision
    try:
        files = [file for file in hub.HfApi().list_repo_files(repo, revision=name) if "/" not in file]
        weights = next((pattern for pattern in _WEIGHTS if any(fnmatchcase(file, pattern) for file in files)), None)
        patterns = [*_OTHER_FILES, *([weights] if weights else [])]
        return Path(hub.snapshot_download(repo, revision=name, allow_patterns=patterns))
    except Exception as error:  # errors of the hub, of the network and of the disk
        hub_unreachable = not isinstance(error, hub.errors.HfHubHTTPError) and not _is_disk_error(error)
        if hub_unreachable and (cached := revision.cached()):
            return cached
        raise _hub_error(revision.name, error) from error


def list_revisions(repo: str, pattern: str | None) -> list[str]:
    """Names of the revisions of `repo` that match a shell pattern; without a pattern, those that state a step.

    Offline, only revisions in the local cache are listed. Raises InputError where none matches, or the hub does not
    answer.
    """
    hub = _hub()
    offline = hub.constants.is_offline_mode()
    available = _cached_revisions(hub, repo) if offline else _revisions_on_hub(hub, repo)
    chosen = sorted({name for name in available if _is_chosen(name, pattern)})
    if not chosen:
        place = f"in the local cache ({hub.constants.HF_HUB_CACHE}; HF_HUB_OFFLINE is set)" if offline else "on the hub"
        examples = ", ".join(ascii(name)[1:-1] for name in sorted(available)[:3]) or "none"
        condition = "states a step" if pattern is None else f"matches {pattern!r}"
        raise InputError(
            f"{repo}: no revision {place} {condition} (available: {examples}). "
            "Give a pattern that matches some with --revisions, or a single one as REPO@REVISION."
        )
    return chosen


def _is_chosen(name: str, pattern: str | None) -> bool:
    if pattern is not None:
        return fnmatchcase(name, pattern)
    parsed = parse_name(name)
    return parsed is not None and parsed.step is not None


def _revisions_on_hub(hub: Any, repo: str) -> list[str]:
    try:
        refs = hub.HfApi().list_repo_refs(repo)
    except Exception as error:  # errors of the hub and of the network
        raise _hub_error(repo, error) from error
    return [ref.name for ref in (*refs.branches, *refs.tags)]


def _cached_revisions(hub: Any, repo: str) -> list[str]:
    refs = Path(hub.constants.HF_HUB_CACHE) / ("models--" + repo.replace("/", "--")) / "refs"
    if not refs.is_dir():
        return []
    return [file.relative_to(refs).as_posix() for file in refs.rglob("*") if file.is_file()]


def _hub_error(name: str, error: Exception) -> InputError:
    """The InputError, with a cause and a remedy, for an error of the hub, the network or the disk."""
    error_type = type(error).__name__
    if _is_disk_error(error) and isinstance(error, OSError):
        return InputError(
            f"{name}: cannot be written to the local cache ({error.strerror}). Free some space, or set HF_HOME to "
            "another folder."
        )
    cause = {
        "RepositoryNotFoundError": "no folder here and no model on the hub has this name, or it needs an access token",
        "RevisionNotFoundError": "the model has no such revision",
        "GatedRepoError": "its authors require you to ask for access first",
    }.get(error_type, f"no folder here, and the hub cannot be reached ({error_type})")
    return InputError(
        f"{name}: {cause}. Check the name, HF_TOKEN and the network, or set HF_HUB_OFFLINE=1 to use the local cache."
    )


def _is_disk_error(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in _DISK_ERRORS


def _hub() -> Any:
    try:
        import huggingface_hub
        from huggingface_hub import constants, errors  # noqa: F401 - loaded lazily otherwise
    except ImportError as missing:
        raise MissingExtra("huggingface_hub", "lm") from missing
    return huggingface_hub
