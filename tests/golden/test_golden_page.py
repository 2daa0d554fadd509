"""One page as it was, word for word: what people read of two compared loss curves.

What differs between machines is replaced by name; figures are not drawn. `make golden` writes the file anew.
"""

import re
from difflib import unified_diff
from pathlib import Path

PAGE = Path(__file__).parent / "compare.html"
COMMAND = "compare bend.csv later.csv --out page"
STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)
MADE_WITH = re.compile(
    r"(<p>(?:machine|command): ).*?(?=</p>)|(<dt>(?:python|zerosum|numpy|scipy)</dt><dd>).*?(?=</dd>)"
)


def test_the_page_is_as_it_was(all_inputs, printed_json, request):
    code, _ = printed_json(all_inputs, [COMMAND])
    assert code == 0
    text = STYLE.sub("<style></style>", Path("page", "report.html").read_text(encoding="utf-8"))
    page = MADE_WITH.sub(lambda match: f"{match[1] or match[2]}...", text).replace(str(Path.cwd()), "WORK")
    if request.config.getoption("--renew-golden", default=False):
        PAGE.write_text(page, encoding="utf-8")
    golden = PAGE.read_text(encoding="utf-8")
    assert page == golden, "\n".join(list(unified_diff(golden.splitlines(), page.splitlines(), lineterm="", n=0))[:40])
