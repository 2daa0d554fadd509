"""What Megatron-LM prints: ` iteration  10/ 500000 | ... | learning rate: 1.5E-04 | ... | lm loss: 9.51E+00 | ...`."""

from zerosum.curves._note import Note
from zerosum.curves.textlog import NUMBER, START, TextLog

FORMAT = TextLog(
    name="Megatron log",
    rows=(
        rf"{START}iteration\s+(?P<iteration>\d+)/\s*\d+ \|"
        rf"(?>[^\n]{{0,600}}?\| learning rate: (?P<learning_rate>{NUMBER}))?"
        rf"[^\n]{{0,600}}?\| lm loss: (?P<lm_loss>{NUMBER}) \|",
    ),
    called=(("learning_rate", "learning rate"), ("lm_loss", "lm loss")),
    notes=(Note("averaged", "each loss is a mean over the iterations since the row before"),),
    rank=36,
).format()
