"""What nanoGPT's `train.py` prints: `iter 250: loss 3.2145, time 123.45ms, mfu 40.12%`."""

from zerosum.curves._note import Note
from zerosum.curves.textlog import NUMBER, START, TextLog

FORMAT = TextLog(
    name="nanoGPT log",
    rows=(rf"{START}iter (?P<iter>\d+): loss (?P<loss>{NUMBER}), time ",),
    # Means over many batches, of training text too: offered, but not taken for the training loss unless asked.
    beside=(rf"{START}step (?P<iter>\d+): train loss (?P<evaluated_train>{NUMBER}), val loss (?P<val>{NUMBER})",),
    called=(("evaluated_train", "evaluated train loss"), ("val", "val loss")),
    tokens=r"tokens per iteration will be: (?P<tokens>\d[\d,]*)",
    notes=(Note("counted-from-0", "iterations are counted from 0: the loss of iteration k comes after k updates"),),
    rank=30,
).format()
