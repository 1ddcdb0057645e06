"""Says what is in a cell that should be a number and is none, and how to write it.

Input: the texts of such cells. Output: for each kind of them one line, the same in the check of a file, in a batch and in a request.
Used by `contract.py`, `inference.py` and the project's batch_rows.py.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from cells import NUMBER, WHITE_SPACE, number, shown

INFINITE = "an infinite value"
TRUTH = "a truth value"
DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?|\d{1,2}[/.]\d{1,2}[/.]\d{2,4}")
#: As a category it may stand for itself.
_MONTH = re.compile(r"(?:19|20)[0-9]{2}-(?:0[1-9]|1[0-2])")
#: What people write for a missing value besides `cells.MISSING`. In a numeric column it is nothing else.
GAPS = frozenset({"-", "--", "---", "–", "—", "?", "??", ".", "..", "...", "*", "#"}) | frozenset(
    {"n.a.", "n.a", "na", "na.", "nan", "none", "missing", "unknown"}
)
SPREADSHEET_ERROR = re.compile(r"#(N/A|NAME\?|NULL!|NUM!|REF!|VALUE!|DIV/0!|SPILL!|CALC!)")

_TRUTH_VALUES = frozenset({"true", "false", "yes", "no", "y", "n", "ja", "nein", "oui", "non", "sí", "si", "on", "off"})

#: Groups of three digits: 3,750.5 and 3.750,5, 3'750.5 and 3 750,5; and India's of two, 12,34,567.
_GROUPED = re.compile(
    r"[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}(?:\.[0-9]+)?|[1-9][0-9]{0,2}(?:(?:,[0-9]{3})+(?:\.[0-9]+)?|(?:\.[0-9]{3}){2,}|(?:\.[0-9]{3})+,[0-9]+|(?:['’\s][0-9]{3})+(?:[.,][0-9]+)?)"
)
_DECIMAL_COMMA = re.compile(r"[0-9]*,[0-9]+")
_SYMBOLS = "$€£¥₹₽₩₺₫฿¢"
_CODES = "EUR|USD|GBP|CHF|JPY|CNY|INR|BRL|MXN|COP|CAD|AUD|SEK|NOK|DKK|PLN"
_CURRENCY = rf"[{_SYMBOLS}]|{_CODES}"
#: Letters, such as kg, km/h or °C; what has digits in it is no unit, and neither are an exponent and an ordinal.
_UNIT = r"(?!(?:e|st|nd|rd|th)\b)°?[^\W\d_]+(?:[/·][^\W\d_]+)?[²³]?\.?|°"
_FACTORS = {"k": 10**3, "thousand": 10**3, "tsd": 10**3, "m": 10**6, "mn": 10**6, "mio": 10**6, "million": 10**6} | {
    "millions": 10**6,
    "bn": 10**9,
    "mrd": 10**9,
    "billion": 10**9,
    "billions": 10**9,
}
#: A small m is a metre, except beside a currency.
_FACTOR = r"k|K|M|thousand|[Tt]sd\.?|[Mm]n|[Mm]io\.?|[Mm]illions?|bn|[Mm]rd\.?|[Bb]illions?"
_WRITTEN = re.compile(
    rf"(?P<bracket>\()?(?P<minus>-?)\s*(?P<front>{_CURRENCY})?\s*(?P<sign>[-+]?)\s*"
    rf"(?P<digits>{_GROUPED.pattern}|{_DECIMAL_COMMA.pattern}|[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
    rf"\s*(?:(?P<factor>{_FACTOR})(?![^\W\d_]))?\s*(?:(?P<currency>{_CURRENCY})|(?P<percent>[%‰])|(?P<unit>{_UNIT}))?(?(bracket)\))"
)
#: What stands before or after a number, or between two of them, and says how it is meant.
_ABOUT = re.compile(r"(?:~|≈|≃|ca\.?|circa|about|around|approx\.?|etwa)\s*(?P<rest>.+)", re.IGNORECASE)
_BOUND = re.compile(
    r"(?:[<>]=?|[≤≥]|under|over|up to|less than|more than|at least|at most)\s*(?P<below>.+)|(?P<above>.+?)\s*\+", re.IGNORECASE
)
_NOTE = re.compile(r"(?P<rest>.+?)\s*(?:\*+|†+|‡+|§|\[\w{1,3}\]|\([a-z]\))")
_RANGE = re.compile(r"(?P<low>.+?)\s*(?:[-–—…]|\.{2,}|\bto\b|\bbis\b)\s*(?P<high>.+)")
_FRACTION = re.compile(r"(?:(?P<whole>[0-9]+)\s+)?(?P<over>[0-9]+(?:\.[0-9]+)?)\s*[/⁄]\s*(?P<under>[0-9]+(?:\.[0-9]+)?)")
_TIME = re.compile(
    r"(?P<first>[0-9]{1,3}):(?P<second>[0-5][0-9])(?::(?P<third>[0-5][0-9])(?:\.[0-9]+)?)?(?:\s*[ap]\.?m\.?)?", re.IGNORECASE
)
#: No number that a person writes is longer, and patterns take long for long texts.
_LONGEST = 60


@dataclass(frozen=True)
class Kind:
    """`what` is in the cells, empty for any text; `remedy` is the one thing to do, `in_data` what to do with data to learn from."""

    what: str
    remedy: str
    in_data: str = ""

    def sentence(self, named: str, *, in_data: bool = False) -> str:
        """`named` says what is no number: "values such as '3,750' are not numbers: thousands separators; write 3750"."""
        return f"{named}{self.what and ': ' + self.what}; {self.in_data if in_data and self.in_data else self.remedy}"


#: No kind of number at all.
ANY = Kind("", "leave it empty if it is unknown", "repair them, or leave the cell empty where a value is unknown")


def kinds(texts: Iterable[str]) -> dict[Kind, list[int]]:
    """The places of the texts of each kind, by the kind of the first that has it. '3,750' beside '39,1' has a decimal comma."""
    trimmed = [text.strip(WHITE_SPACE) for text in texts]
    different = dict.fromkeys(trimmed)
    decimal_comma = any(len(text) <= _LONGEST and _DECIMAL_COMMA.fullmatch(text) and not _GROUPED.fullmatch(text) for text in different)
    kind_of = {text: of(text, decimal_comma=decimal_comma) for text in different}
    found: dict[str, tuple[Kind, list[int]]] = {}
    for place, text in enumerate(trimmed):
        found.setdefault(kind_of[text].what, (kind_of[text], []))[1].append(place)
    return dict(found.values())


def is_gap(category: str) -> bool:
    """Whether a category looks like a missing value. A word, such as unknown, may be one of the data's own."""
    return not category.isalpha() and (category.lower() in GAPS or SPREADSHEET_ERROR.fullmatch(category) is not None)


def of(text: str, *, decimal_comma: bool = False) -> Kind:
    """What one cell holds, of which `cells.number` makes no number."""
    text = text.strip(WHITE_SPACE)
    if len(text) > _LONGEST:
        return ANY
    if text.lower() in GAPS or SPREADSHEET_ERROR.fullmatch(text):
        return Kind("a sign for a missing value", "leave the cell empty where a value is unknown")
    if text.lower() in _TRUTH_VALUES:
        return Kind(TRUTH, "write 1 or 0")
    if text.lower().lstrip("+-") in ("inf", "infinity"):
        return Kind(INFINITE, "leave the cell empty where a value is unknown")
    if re.fullmatch(r"0x[0-9a-f]+|[1-9][0-9]*(_[0-9]+)+", text.lower()):
        return Kind("a number as programs write it", f"write {int(text, 0)}")
    if DATE.fullmatch(text) or _MONTH.fullmatch(text):
        return Kind("dates", "derive a number such as the year or an age in days")
    if NUMBER.fullmatch(text):  # of such a text `cells.number` refuses only what is infinite
        return Kind("a number too large to calculate with", "repair it, or leave the cell empty")
    if not text.isascii() and _is_number(_in_ascii(text)):
        return Kind("digits or a minus sign of another script", f"write {_in_ascii(text)}")
    return _written_for_people(text, decimal_comma) or _of_more_than_a_number(text, decimal_comma) or ANY


def _of_more_than_a_number(text: str, decimal_comma: bool) -> Kind | None:
    """A number and how it is meant (about, at least, a note), or a value that takes two of them (a range, a fraction, a time)."""
    time = _TIME.fullmatch(text)
    if time:
        unit = "minutes" if time["third"] is None else "seconds"
        count = 60 * int(time["first"]) + int(time["second"])
        count = count if time["third"] is None else 60 * count + int(time["third"])
        return Kind("a time", f"write it as a number in one unit, such as {count} for {unit}")
    fraction = _FRACTION.fullmatch(text)
    if fraction and Decimal(fraction["under"]):
        value = Decimal(fraction["whole"] or 0) + Decimal(fraction["over"]) / Decimal(fraction["under"])
        return Kind("a fraction", f"write {_in_full(round(value, 4))}")
    for pattern, what in ((_ABOUT, "a sign for about"), (_NOTE, "a mark of a note")):
        found = pattern.fullmatch(text)
        plain = _plain(found["rest"], decimal_comma) if found else None
        if plain:
            return Kind(what, f"write {plain}")
    bound = _BOUND.fullmatch(text)
    plain = _plain(bound["below"] or bound["above"], decimal_comma) if bound else None
    if plain:
        return Kind("a bound and no value", f"write a number, such as the bound {plain}, or leave the cell empty where a value is unknown")
    ends = _RANGE.fullmatch(text)
    low, high = (_plain(ends[name], decimal_comma) for name in ("low", "high")) if ends else (None, None)
    if low and high:
        return Kind("a range", f"write one number, such as its middle {_in_full((Decimal(low) + Decimal(high)) / 2)}")
    return None


def _plain(text: str, decimal_comma: bool) -> str | None:
    """The number in a text that is one, as programs or as people write it."""
    if NUMBER.fullmatch(text):
        return text.removeprefix("+")
    parts = _WRITTEN.fullmatch(text)
    return _number_of(parts, decimal_comma) if parts else None


def _in_full(value: Decimal) -> str:
    """Without an exponent and needless zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _written_for_people(text: str, decimal_comma: bool) -> Kind | None:
    """A number with separators, a currency, a percent sign or a unit."""
    parts = _WRITTEN.fullmatch(text)
    if parts is None:
        return None
    plain, digits = _number_of(parts, decimal_comma), re.sub(r"['’\s]", "", parts["digits"])
    advice = f"write {plain}"
    if parts["factor"]:
        unless = f" ({_number_of(parts, decimal_comma, factor=False)} if K is a unit)" if parts["factor"] == "K" else ""
        return Kind(f"the factor {shown(parts['factor'])}", advice + unless)
    if parts["front"] or parts["currency"]:
        return Kind("a currency sign", advice)
    if parts["percent"]:
        return Kind("a percent sign" if parts["percent"] == "%" else "a per-mille sign", advice)
    if parts["unit"]:
        return Kind(f"the unit {shown(parts['unit'])}", advice, f"{advice}, and name the unit in the model's file (Numeric.unit)")
    if "," in digits and _decimal_sign(digits, decimal_comma) == ",":
        return Kind("a decimal comma", advice)
    if not _GROUPED.fullmatch(parts["digits"]):
        return Kind("a sign apart from its number", advice)
    is_ambiguous = re.fullmatch(r"[0-9]{1,3},[0-9]{3}", digits)
    return Kind("thousands separators", advice + (f" ({plain[:-3]}.{plain[-3:]} if it is a decimal comma)" if is_ambiguous else ""))


def _number_of(parts: re.Match[str], decimal_comma: bool, *, factor: bool = True) -> str:
    """What `_WRITTEN` has found, as `cells.number` reads it."""
    minus = "-" if parts["bracket"] or parts["minus"] or parts["sign"] == "-" else ""
    digits = re.sub(r"['’\s]", "", parts["digits"])
    decimal = _decimal_sign(digits, decimal_comma)
    plain = minus + (digits if decimal == "." else digits.replace(".", "").replace(",", ".")).replace(",", "")
    name = parts["factor"] or (parts["unit"] if parts["front"] and parts["unit"] == "m" else None)
    return _in_full(Decimal(plain) * _FACTORS[name.lower().rstrip(".")]) if name and factor else plain


def _decimal_sign(digits: str, decimal_comma: bool) -> str:
    """Of '3,750.00' the point, of '39,1' and '1.234,5' the comma. '3,750' alone is taken for 3750."""
    if "," in digits and "." in digits:
        return "," if digits.rfind(",") > digits.rfind(".") else "."
    if "," in digits:
        return "." if _GROUPED.fullmatch(digits) and not decimal_comma else ","
    return "," if digits.count(".") > 1 else "."


def _in_ascii(text: str) -> str:
    """Digits of every script as 0 to 9, and every minus sign as -."""
    return "".join(str(unicodedata.digit(sign)) if sign.isdecimal() else "-" if sign in "−–﹣－" else sign for sign in text)


def _is_number(text: str) -> bool:
    try:
        number(text)
    except ValueError:
        return False
    return True
