"""What llm.c logs, `s:10 trl:7.1034 lr:0.000060 norm:2.05`, and what it prints, `step 10/18865 | loss 7.103 ...`."""

from zerosum.curves.textlog import NUMBER, START, TextLog

FORMAT = TextLog(
    name="llm.c log",
    rows=(
        rf"^s:(?P<s>\d+) trl:(?P<trl>{NUMBER})(?: lr:(?P<lr>{NUMBER}) norm:|\s*\n)",
        rf"^s:(?P<s>\d+) tel:(?P<tel>{NUMBER})\s*\n",
        rf"{START}step\s+(?P<step>\d+)/\d+ \| (?:train )?loss\s+(?P<loss>{NUMBER})[^\n]{{0,200}}?"
        rf"\|\s*lr\s+(?P<printed_lr>{NUMBER})\s*\|",
    ),
    called=(("s", "step"), ("printed_lr", "learning rate"), ("tel", "val loss")),
    rank=31,
).format()
