"""What build-nanogpt's `train_gpt2.py` logs: `250 train 3.214567`."""

from zerosum.curves._note import Note
from zerosum.curves.textlog import NUMBER, TextLog

FORMAT = TextLog(
    name="build-nanogpt log",
    rows=(
        rf"^(?P<step>\d+) train (?P<loss>{NUMBER})\s*$",
        rf"^(?P<step>\d+) val (?P<val>{NUMBER})\s*$",
    ),
    called=(("val", "val loss"),),
    notes=(Note("counted-from-0", "steps are counted from 0: the loss of step k comes after k updates"),),
    rank=34,
).format()
