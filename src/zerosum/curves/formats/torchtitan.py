"""What torchtitan prints: `step: 10  loss:  8.0512  grad_norm:  1.2345  memory: ...`, in colours or not."""

from zerosum.curves.textlog import NUMBER, START, TextLog

FORMAT = TextLog(
    name="torchtitan log",
    rows=(
        # "validate step: 10  loss: ..." is another loss.
        rf"{START}(?<!validate )(?<!valid  )step:\s+(?P<step>\d+)\s+loss:\s+(?P<loss>{NUMBER})"
        rf"(?:\s+lr:\s+(?P<lr>{NUMBER}))?(?=[ \t]+(?:grad_norm|memory|tps):)",
    ),
    rank=35,
).format()
