"""The checks of the identity gate, kept in the folder of a bench. Loads no torch."""

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from zerosum.atomic import write_text
from zerosum.bench.plan import Bench
from zerosum.bench.results import IdentityCheck

FILE = "identities.json"
_ADAPTER = TypeAdapter(dict[str, IdentityCheck])


def read_identities(bench: Bench) -> dict[str, IdentityCheck]:
    """The checks by arm; empty where they are not there, or not readable: then they are made again."""
    try:
        return _ADAPTER.validate_json(_file(bench).read_bytes())
    except (OSError, ValidationError):
        return {}


def write_identities(bench: Bench, checks: dict[str, IdentityCheck]) -> None:
    """Keep the checks, all of them passed."""
    write_text(_file(bench), _ADAPTER.dump_json(checks, indent=1).decode() + "\n")


def _file(bench: Bench) -> Path:
    return bench.folder / FILE
