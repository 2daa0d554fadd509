"""What a trainer of nobody's prints: `<<7>> nats=3.25`."""

from zerosum.curves.textlog import NUMBER, START, TextLog

FORMAT = TextLog(
    name="toy log",
    rows=(rf"{START}<<(?P<step>\d+)>> nats=(?P<loss>{NUMBER})",),
    rank=30,
).format()
