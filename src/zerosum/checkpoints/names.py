"""Names of checkpoints: the step, the tokens seen and the training stage that a name states.

To support another naming scheme, add a line to `NAMES`.
"""

import re
from dataclasses import dataclass

_STEP = r"(?P<step>\d{1,15})"
_TOKENS = r"(?:-tokens(?P<tokens>\d{1,9})(?P<unit>[MBT]))?"
_UNIT = {"M": 10**6, "B": 10**9, "T": 10**12}

# pattern of the whole name, an example, the programs or models that use it
NAMES = (
    (rf"checkpoint-{_STEP}", "checkpoint-500", "Hugging Face Trainer, zerosum"),
    (rf"step[-_]?{_STEP}{_TOKENS}(?:-unsharded)?", "step1000-tokens4B", "Pythia, OLMo, torchtitan"),
    (
        rf"(?P<stage>stage\d+(?:-[A-Za-z]+\d*)*)-step{_STEP}{_TOKENS}(?:-unsharded)?",
        "stage1-step10000-tokens21B",
        "OLMo 2",
    ),
    (rf"global_?step[-_]?{_STEP}", "global_step1000", "BLOOM, DeepSpeed"),
    (rf"(?:.*-)?epoch=\d+-step={_STEP}(?:-v\d+)?\.ckpt", "epoch=1-step=16.ckpt", "Lightning"),
    (rf"(?:.*-)?step={_STEP}(?:-v\d+)?\.ckpt", "step=16.ckpt", "Lightning"),
    (r"(?:ckpt|last)\.(?:pt|ckpt)", "ckpt.pt", "nanoGPT, Lightning; the step is in the file"),
    (rf"ckpt[-_]?{_STEP}\.pt", "ckpt_1000.pt", "nanoGPT, if it keeps every checkpoint"),
)


@dataclass(frozen=True)
class ParsedName:
    """What the name of a checkpoint states.

    step, tokens_seen: None where the name does not state them; tokens_seen is as rounded as in the name. stage: the
    stage of training, "" where the name states none.
    """

    step: int | None
    tokens_seen: int | None = None
    stage: str = ""


def parse_name(name: str) -> ParsedName | None:
    """Parse the name of a folder, a file or a hub revision; None where it is not the name of a checkpoint.

    >>> parse_name("stage1-step10000-tokens21B")
    ParsedName(step=10000, tokens_seen=21000000000, stage='stage1')
    >>> parse_name("ckpt.pt"), parse_name("checkpoint-best")
    (ParsedName(step=None, tokens_seen=None, stage=''), None)
    """
    for pattern, _, _ in NAMES:
        if match := re.fullmatch(pattern, name, re.ASCII):
            groups = match.groupdict()
            step = None if groups.get("step") is None else int(groups["step"])
            tokens = int(groups["tokens"]) * _UNIT[groups["unit"]] if groups.get("tokens") else None
            return ParsedName(step, 0 if step == 0 else tokens, groups.get("stage") or "")
    return None
