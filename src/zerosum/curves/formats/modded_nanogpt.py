"""What modded-nanogpt logs after its own source: `step:125/3375 train_loss:4.5432 train_time:12345ms ...`."""

from zerosum.curves.textlog import NUMBER, START, TextLog

FORMAT = TextLog(
    name="modded-nanogpt log",
    rows=(
        rf"{START}step:(?P<step>\d+)/\d+ train_loss:(?P<train_loss>{NUMBER})",
        # Later versions print no training loss at all: the validation loss can be asked for.
        rf"{START}step:(?P<step>\d+)/\d+ val_loss:(?P<val_loss>{NUMBER})",
    ),
    rank=32,
).format()
