"""One printed line -> the numbers in it by name: `name: value`, `name=value`, `name value`, `N/M`, dicts."""

import re
from dataclasses import dataclass, field
from functools import lru_cache

from zerosum.curves._format import flat
from zerosum.curves.columns import axis_of
from zerosum.curves.numerals import as_number, scaled
from zerosum.curves.printed_dict import DICT, parsed_dict

LONGEST = 5_000  # characters; a longer line is no line of a log
FRACTION = "N/M"  # the name of a nameless `100/3000`
NAMELESS = ("first number", "second number", "third number")  # the names of nameless whole numbers before a loss
LATER = "number after the loss"

VALIDATION = re.compile(
    r"val|valid(?:ation|ate|ating)?|eval(?:uation|uate|uated|uating)?|test(?:ing)?|dev|held|(?:held|hold)[-_]?out"
)
_GROUPED = r"[1-9]\d{0,2}(?:(?:,\d{3})+|(?:_\d{3})+)(?:\.\d+)?"
_DIGITS = rf"(?:{_GROUPED}|\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|nan|inf)"
# A number that stands alone, with its total (`100/3000`, `100 of 3000`) and its unit. What goes on with a comma or
# point and more digits is another way to write numbers, and no number here.
_NUMBER = re.compile(
    rf"(?<![\w.+\-%])(?<!\d,)(?P<value>[-+]?{_DIGITS})(?:\s*(?:/|\bof\b)\s*(?P<total>{_DIGITS}))?"
    r"(?P<unit>%|(?:[A-Za-zµ]+(?:/[A-Za-z]+)*|/\s?[A-Za-z]\w*)(?![\w]))?(?![\w%]|[.,:]\d|\)\s*[:=]\s*[-+.\d])",
    re.IGNORECASE,
)
_NOISE = re.compile(
    r"\d{4}[-/]\d\d[-/]\d\d(?:[T ,_]+\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)?"  # dates
    r"|\b\d\d/\d\d/\d{2,4}\b|^[IWEF]\d{4}\s+[\d:.]+\s+\d+\s"
    r"|(?<![\d.])\d+:\d\d(?::\d\d)?(?:[.,]\d+)?(?![\d:])"  # times
    r"|\d+%\|[^|]{0,300}\|"  # tqdm's bars
    r"|[\w./-]+\.(?:py|cc|cpp|cu|rs|go|jl|ipynb):\d+|\b\w+:\w+:\d+\b(?!\.)"  # places in a program
)
_CALLS = re.compile(r"\b(?:tensor|array|(?:Device)?Array|(?:np|numpy|torch|jnp|jax)\.\w+)(?=\()")
_BEFORE_NUMBER = re.compile(r"(?:[\s:=~#@→'\"(\[{]|->|=>)+$")  # what stands between a name and its number
_SEPARATOR = re.compile(r"[|,;\t\[\]{}<>]|[\"'](?=\s)|(?<=\s)[-–—](?=\s)|:(?=\s)")
_BITS = re.compile(r"\s?[(\[]?((?:bits?(?:/\w+)?|bp[bct])\b)", re.IGNORECASE)
_UNITS = {"ms", "s", "sec", "secs", "seconds", "min", "mins", "minutes", "h", "hours", "gb", "mb", "gib", "mib", "it/s"}
_UNITS |= {"s/it", "tok/s", "tokens/s", "tokens/sec", "tflops", "tflop/s", "steps/s", "it/sec", "samples/s"}
# Words before a name that do not change what it names.
_FILLERS = {"info", "debug", "warning", "the", "with", "and", "at", "for", "has", "is", "current", "now", "train"}
_FILLERS |= {"training", "trainer", "completed", "finished", "done", "optimizer", "after", "in", "on", ""}
_LABEL = re.compile(r"(?<![\w.])([A-Za-z_]\w*)=([A-Za-z][\w.-]*)(?=[\s,;|)\]]|$)(?!=)")
_AFTER_LOSS = re.compile(r"[\w/ ]+[:=]")  # names of what is no number
_WORDS = re.compile(r"[\s_/.:()\[\]-]+")
_AT_STEP = re.compile(r"(.*\S)\s+(?:at|after|@)\s+(\S+)", re.DOTALL)


@dataclass
class Line:
    """The numbers of a line. numbers: by name, in order. totals: M of each `N/M`. texts: words in dicts, by name.

    is_validation: words of the line, or the name of its counter, say that it is about validation.
    text: the line itself, for messages.
    """

    text: str
    numbers: dict[str, float] = field(default_factory=dict)
    decimals: dict[str, int] = field(default_factory=dict)
    totals: dict[str, float] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    is_validation: bool = False


def read_line(text: str) -> Line:
    """The numbers of one line.

    >>> read_line("Iter 100: Train loss 6.298, Learning Rate 3.000e-04, Trained Tokens 102,400").numbers
    {'Iter': 100.0, 'Train loss': 6.298, 'Learning Rate': 0.0003, 'Trained Tokens': 102400.0}
    """
    line = Line(text.strip()[:200])
    if len(text) > LONGEST:
        return line
    rest = DICT.sub(lambda found: _read_dict(found[0], line), text)
    loose: list[str] = []  # text that belongs to no name, up to the first loss
    rest = _LABEL.sub(lambda found: _read_label(found, line), _NOISE.sub(" | ", _CALLS.sub("", rest)))
    end, pending, has_loss = 0, "", False
    for found in _NUMBER.finditer(rest):
        gap = rest[end : found.start()]
        before, name = _name(gap)
        if not _is_value(found, gap, name, rest):
            continue
        end = found.end()
        loose.append(_AFTER_LOSS.sub(" ", before) if has_loss else before)
        if pending and not name and not before.strip(" :=|is-"):
            name = pending
        pending = ""
        if split := _AT_STEP.fullmatch(name):
            loose.append("" if has_loss else split[1])
            pending, name = resolve(split[1]), split[2]
        name = resolve(name)
        has_loss = has_loss or axis_of(name) == "loss"
        if axis_of(name) == "loss" and (unit := _BITS.match(rest, found.end("value"))):
            name = f"{name} in {unit[1]}"
        if name or not _has_unit(found):
            _put(line, name, found)
    loose.append(_AFTER_LOSS.sub(" ", rest[end:]) if has_loss else rest[end:])
    line.is_validation = line.is_validation or _is_about_validation(loose, line)
    return line


def _read_label(found: re.Match[str], line: Line) -> str:
    """Keep a word of a name, `split=train`, as a text of the line; a word of validation stays in sight."""
    line.texts.setdefault(found[1], found[2])
    return f" | {found[2]} | "


def _is_value(found: re.Match[str], gap: str, name: str, text: str) -> bool:
    """Whether a number is a value: "nan" may be a word, and of a list or pair of losses none is the loss."""
    axis = axis_of(resolve(name))
    if found["value"][-1].isalpha() and axis is None and not gap.rstrip(" '\"[(").endswith((":", "=")):
        return False
    in_list = gap.rstrip().endswith("[") and re.match(r"\s*,\s*[-+.\d]", text[found.end() :])
    return not (axis == "loss" and (in_list or found["total"] is not None))


def _has_unit(found: re.Match[str]) -> bool:
    unit = found["unit"] or ""
    return bool(unit) and scaled(found["value"] + unit) is None


def unread_numbers(text: str) -> dict[str, float]:
    """The whole numbers of a line that stand in no number, time or place that was understood, by their order.

    >>> unread_numbers("2024-03-01 [host] 1epoch:1-100batch: loss=6.3")
    {'0': 1.0, '1': 100.0}
    """
    rest = _NUMBER.sub(lambda found: found[0] if found["unit"] else " ", _NOISE.sub(" ", DICT.sub(" ", text)))
    return {str(k): float(digits) for k, digits in enumerate(re.findall(r"\d{1,15}", rest))}


def _put(line: Line, name: str, found: re.Match[str]) -> None:
    """Store a number under its name; of several of the same name the first."""
    value, total, unit = found["value"], found["total"], found["unit"] or ""
    number = scaled(value.replace(",", "") + unit)
    if number is None:
        if unit and axis_of(name) is not None and unit.lower() not in ("nats", "tokens", "steps", "th"):
            return  # a rate or a share, not the quantity itself
        number = as_number(value.replace(",", ""))
    name = name or _name_of_nameless(line, found)
    if name not in line.numbers and total is not None and axis_of(name.split("/")[0]) == "step":
        name = name.split("/")[0]  # "step/max_steps: 100/3000"
    if name in line.numbers and axis_of(name) == "loss":
        name = f"second {name}"
    if not name or name in line.numbers:
        return
    line.numbers[name] = number
    line.decimals[name] = len(value.partition(".")[2]) if "e" not in value.lower() else 6
    if total is not None:
        line.totals[name] = as_number(total.replace(",", ""))


def _name_of_nameless(line: Line, found: re.Match[str]) -> str:
    value, total = found["value"], found["total"]
    if total is not None and value.isdigit() and total.isdigit() and int(value) <= int(total):
        return FRACTION if FRACTION not in line.numbers else f"{FRACTION} (2)"
    if not value.isdigit() or found["unit"] or total is not None:
        return ""
    if any(axis_of(name) == "loss" for name in line.numbers):
        return LATER
    return next((name for name in NAMELESS if name not in line.numbers), "")


@lru_cache(4_096)  # the lines of a log are alike
def _name(gap: str) -> tuple[str, str]:
    """The text between two numbers as what belongs to no name, and the name of the second number."""
    head = _BEFORE_NUMBER.sub("", gap)
    start = 0
    for cut in _SEPARATOR.finditer(head):
        start = cut.end()
    start = max(start, _after_open_bracket(head))
    words = head[start:].replace("'", " ").replace('"', " ").split()
    if words and words[0].lower() in _UNITS:
        words.pop(0)
    name = " ".join(words)
    return head[:start], name if any(map(str.isalnum, name)) else ""


def _after_open_bracket(text: str) -> int:
    """Where the text after the last round bracket begins that has no partner."""
    waiting: list[int] = []
    after = 0
    for place, mark in enumerate(text):
        if mark == "(":
            waiting.append(place)
        elif mark == ")":
            if waiting:
                waiting.pop()
            else:
                after = place + 1
    return max(after, waiting[-1] + 1 if waiting else 0)


@lru_cache(4_096)
def resolve(name: str) -> str:
    """A name without the words before it that say nothing, where the rest is known as an axis.

    >>> resolve("INFO completed step"), resolve("Train time/token"), resolve("aux loss")
    ('step', 'time/token', 'aux loss')
    """
    if is_of_validation(name):
        return name
    words = re.sub(r"\((?:train|training)\)|\s(?:is|was|now)$", "", name.rsplit(":", 1)[-1]).split()
    for k in range(len(words)):
        rest = " ".join(words[k:])
        if axis_of(rest) is not None:
            return rest
        if words[k].lower().strip(":-=+*#>~.") not in _FILLERS and any(map(str.isalnum, words[k])):
            break
    return name


@lru_cache(4_096)
def is_of_validation(name: str) -> bool:
    """Whether a name is of validation: one of its words says so.

    >>> is_of_validation("val_loss"), is_of_validation("Loss/validation"), is_of_validation("train loss")
    (True, True, False)
    """
    return any(VALIDATION.fullmatch(word) for word in _WORDS.split(name.lower()))


def _is_about_validation(loose: list[str], line: Line) -> bool:
    if any(map(_says_validation, loose)):
        return True
    return any(is_of_validation(name) and _is_counter(name) for name in line.numbers)


@lru_cache(4_096)
def _says_validation(text: str) -> bool:
    words = (word.strip("()[]{}<>:|,;=*#'\"-").lower() for word in re.split(r"[\s\"']+", text))
    return any(VALIDATION.fullmatch(word) or re.match(r"(?:val|valid|eval|test)_", word) for word in words)


@lru_cache(4_096)
def _is_counter(name: str) -> bool:
    words = _WORDS.split(name.lower())
    return "loss" not in words and any(axis_of(word) in ("step", "epoch") for word in words)


def _read_dict(text: str, line: Line) -> str:
    """Add the numbers of a Python or JSON dict to the line; what cannot be read is left as text."""
    values = parsed_dict(text)
    if values is None:
        return " " if text.count("{") > 1 else text[1:-1]
    for name, value in flat(values).items():
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if not isinstance(name, str) or isinstance(value, bool) or not isinstance(value, int | float | str):
            continue
        found = _NUMBER.fullmatch(str(value).strip())
        if found is not None:
            _put(line, resolve(name), found)
        elif axis_of(resolve(name)) is None:
            line.texts.setdefault(name, str(value))
    return " "
