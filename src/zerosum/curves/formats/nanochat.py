"""What nanochat's base training prints: `step 00100/05000 (2.00%) | loss: 3.123456 | lrm: 1.00 | dt: ...`."""

from zerosum.curves._note import Note
from zerosum.curves.textlog import NUMBER, START, TextLog

FORMAT = TextLog(
    name="nanochat log",
    rows=(
        # lrm is a factor on several learning rates, not a learning rate: it has to be asked for.
        rf"{START}step (?P<step>\d+)(?:/(?P<total_steps>\d+))? \([\d.]+%\) \| loss: (?P<loss>{NUMBER})"
        rf"(?: \| lrm: (?P<lrm>{NUMBER}))?",
    ),
    tokens=r"Total batch size (?P<tokens>\d[\d,]*) =>",
    notes=(
        Note("averaged", "already smoothed: nanochat prints a moving average of the loss (weight 0.9, about 10 steps)"),
        Note("counted-from-0", "steps are counted from 0: the loss of step k comes after k updates"),
    ),
    rank=33,
).format()
