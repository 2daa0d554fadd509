"""A table of bigrams as it meets its floor.

D of doublings of a model whose rows share nothing (logits of the next byte given this one, Adam, constant rate), with
four branches of each checkpoint on other orders of the text. D rises to 0.8 and more without any competition for
parameters, and most of what cancels is the same in every order of the text: the systematic share tells noise of the
order from what stays, and cannot tell a floor from opposition. loss: of held-out text at the end of the doubling, nats
per byte. N: predicted bytes.
"""

from tabular_bigram import Text, doublings

SEEDS = "0 for the split of the files and the run, 1 to 4 for the branches"


def test_the_course_of_a_table(table, whole) -> None:
    rows = doublings(Text.of_standard_library(), 16, 2_048 if whole else 64)
    for row in rows:
        changes, branches = row.changes, row.branches
        share = branches.systematic_share
        ends = "none" if share.interval is None else "{:.2f} to {:.2f}".format(*share.interval)
        table.add(
            steps=f"{row.to_step // 2} to {row.to_step}",
            N=changes.N,
            loss=f"{row.loss:.3f}",
            M=f"{changes.M:.4f}",
            D=f"{changes.D:.3f}",
            correlation_of_branches=f"{branches.correlation.value:.2f}",
            systematic_share=f"{share.value:.2f}" if share.known else share.reason,
            its_interval=ends,
        )
    assert not whole or rows[-2].changes.D > 0.8 > 0.05 > rows[0].changes.D
