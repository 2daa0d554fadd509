"""Checkpoints on the Hugging Face hub, one for each revision; its cache, HF_HOME and HF_HUB_OFFLINE count as always."""

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
_BESIDE_WEIGHTS = ("*.json", "*.yaml", "*.txt", "*.model", "*.py")  # code is fetched, not run
_WEIGHTS = ("model*.safetensors", "pytorch_model*.bin", "model.pt")  # the first that there is
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EPERM)
_SETTINGS = ("config.json", "config.yaml")


@dataclass(frozen=True)
class HubRevision:
    """A branch, tag or commit of a model on the hub. Nothing is downloaded before `folder` is asked for."""

    repo: str
    revision: str

    @property
    def name(self) -> str:
        """As people write it."""
        return f"{self.repo}@{self.revision}"

    def folder(self) -> Path:
        """Its files in the local cache, downloaded now where they are not there yet and the hub may be asked.

        Of several formats of the weights only the first of safetensors, `.bin` and `.pt` is fetched. Raises
        InputError where it cannot be had.
        """
        hub = _hub()
        if not hub.constants.is_offline_mode():
            return _fetch(self)
        if (cached := self.cached()) is None:
            raise InputError(
                f"{self.name}: not in the local cache ({hub.constants.HF_HUB_CACHE}), and HF_HUB_OFFLINE is set. "
                "Unset it to download."
            )
        return cached

    def cached(self) -> Path | None:
        """Its files in the local cache as they are now; None where there are none. Nothing is asked of the hub."""
        hub = _hub()
        found = (hub.try_to_load_from_cache(self.repo, name, revision=self.revision) for name in _SETTINGS)
        return next((Path(path).parent for path in found if isinstance(path, str)), None)


@cache  # the hub is asked once in a process, however often the folder is
def _fetch(revision: HubRevision) -> Path:
    hub, repo, name = _hub(), revision.repo, revision.revision
    try:
        files = [file for file in hub.HfApi().list_repo_files(repo, revision=name) if "/" not in file]
        weights = next((pattern for pattern in _WEIGHTS if any(fnmatchcase(file, pattern) for file in files)), None)
        wanted = [*_BESIDE_WEIGHTS, *([weights] if weights else [])]
        return Path(hub.snapshot_download(repo, revision=name, allow_patterns=wanted))
    except Exception as error:  # the hub's own errors, those of the network below it, and those of the disk
        unreachable = not isinstance(error, hub.errors.HfHubHTTPError) and not _is_of_the_disk(error)
        if unreachable and (cached := revision.cached()):
            return cached
        raise _no_answer(revision.name, error) from error


def list_revisions(repo: str, pattern: str | None) -> list[str]:
    """Names of the revisions of `repo` that match a shell pattern, or without one those that name a step.

    Raises InputError where there are none, or the hub does not answer. Offline: those that the local cache holds.
    """
    hub = _hub()
    offline = hub.constants.is_offline_mode()
    known = _cached_revisions(hub, repo) if offline else _listed_revisions(hub, repo)
    found = sorted({name for name in known if _is_wanted(name, pattern)})
    if not found:
        where = f"in the local cache ({hub.constants.HF_HUB_CACHE}; HF_HUB_OFFLINE is set)" if offline else "on the hub"
        examples = ", ".join(ascii(name)[1:-1] for name in sorted(known)[:3]) or "none"
        wanted = "names a step" if pattern is None else f"matches {pattern!r}"
        raise InputError(
            f"{repo}: no revision {where} {wanted} (there: {examples}). "
            "Give --revisions with their pattern, or one as REPO@REVISION."
        )
    return found


def _is_wanted(name: str, pattern: str | None) -> bool:
    if pattern is not None:
        return fnmatchcase(name, pattern)
    said = parse_name(name)
    return said is not None and said.step is not None


def _listed_revisions(hub: Any, repo: str) -> list[str]:
    try:
        refs = hub.HfApi().list_repo_refs(repo)
    except Exception as error:  # the hub's own errors, and those of the network below it
        raise _no_answer(repo, error) from error
    return [ref.name for ref in (*refs.branches, *refs.tags)]


def _cached_revisions(hub: Any, repo: str) -> list[str]:
    refs = Path(hub.constants.HF_HUB_CACHE) / ("models--" + repo.replace("/", "--")) / "refs"
    if not refs.is_dir():
        return []
    return [file.relative_to(refs).as_posix() for file in refs.rglob("*") if file.is_file()]


def _no_answer(name: str, error: Exception) -> InputError:
    kind = type(error).__name__
    if _is_of_the_disk(error) and isinstance(error, OSError):
        return InputError(
            f"{name}: cannot be written to the local cache ({error.strerror}). Make room, or set HF_HOME."
        )
    cause = {
        "RepositoryNotFoundError": "no folder here and no model on the hub has this name, or it needs a token",
        "RevisionNotFoundError": "the model has no such revision",
        "GatedRepoError": "its authors want you to ask for access first",
    }.get(kind, f"no folder here, and the hub cannot be asked ({kind})")
    return InputError(
        f"{name}: {cause}. Check the name, HF_TOKEN and the network, or set HF_HUB_OFFLINE=1 to use what is in the "
        "local cache."
    )


def _is_of_the_disk(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in _OF_THE_DISK


def _hub() -> Any:
    try:
        import huggingface_hub
        from huggingface_hub import constants, errors  # noqa: F401 - loaded lazily otherwise
    except ImportError as missing:
        raise MissingExtra("huggingface_hub", "lm") from missing
    return huggingface_hub
