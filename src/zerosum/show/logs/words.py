"""Sentences on one curve that the old page of one run still shows."""

from dataclasses import dataclass

from zerosum.deceleration import Reason
from zerosum.show.logs.subject import Logs


@dataclass(frozen=True)
class Story:
    """One curve. name: untrusted. sentences: its break and where it goes. reasons: what bears on the verdict."""

    name: str
    verdict: str
    sentences: tuple[str, ...]
    reasons: tuple[Reason, ...]


def stories(logs: Logs) -> list[Story]:
    """One for each curve, in order. The opening has its sentences."""
    return [Story(name, one.fit.verdict, (), one.fit.reasons) for name, one in logs.named]
