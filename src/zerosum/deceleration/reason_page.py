"""The page of one reason of a verdict: what it means, how it is measured, what to do, and examples of its message."""

from dataclasses import asdict, dataclass
from typing import Any

from zerosum.deceleration._record import Level, ReasonCode


@dataclass(frozen=True)
class Page:
    """The explanation of a reason.

    means: what the reason means, in plain words. measured: how it is measured, with every threshold. remedy: what to do
    about it. blocking, note: an example of the message at this level; empty where the reason never has this level.
    """

    code: ReasonCode
    means: str
    measured: str
    remedy: str
    blocking: str = ""
    note: str = ""

    @property
    def examples(self) -> dict[Level, str]:
        """Level -> example message, for the levels that this reason can have."""
        messages: dict[Level, str] = {"blocking": self.blocking, "note": self.note}
        return {level: message for level, message in messages.items() if message}

    def to_json(self) -> dict[str, Any]:
        """The page as a JSON object."""
        texts = {name: text for name, text in asdict(self).items() if name not in ("blocking", "note")}
        return texts | {"levels": list(self.examples), "examples": dict(self.examples)}

    def markdown(self) -> str:
        """The page as a Markdown section with the code as its heading."""
        paragraphs = [
            f"## {self.code}",
            f"*{' or '.join(self.examples)}*: {self.means}",
            f"**How it is measured.** {self.measured}",
            f"**What to do.** {self.remedy}",
        ]
        quotes = [f"> {level}: {message}" for level, message in self.examples.items()]
        return "\n\n".join([*paragraphs, *quotes]) + "\n"
