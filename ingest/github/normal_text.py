"""Error texts without the parts that differ from run to run, to find equal errors.

Pure functions. A placeholder replaces each such part; none contains a digit, so that a
later pattern never matches inside one.
"""

import re
import unicodedata
from collections.abc import Callable

# Longer texts are cut before they are searched.
MAX_CHARACTERS = 4_000

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,?"
_CLOCK = r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?"
_ZONE = r"(?: ?(?:Z|UTC|GMT|[AP]M|[+-]\d\d:?\d\d)\b)?"
_UNIT = (
    r"(?:milliseconds?|microseconds?|nanoseconds?|seconds?|secs?|minutes?|mins?"
    r"|hours?|hrs?|days?|weeks?|ms|us|\u00b5s|\u03bcs|ns|[smhd])\b"
)
# A folder or file name within a path, up to a space, a quote or a bracket.
_NAME = r"[^\s\\/'\"`:;,()\[\]{}<>|]+"
_REST = r"(?:[\\/][^\s'\"`:;,()\[\]{}<>|]*)?"
# The folder in which a runner checks out repositories, on GitHub's own runners, in a
# container, and of any other installation.
_WORK = (
    r"(?:(?<![\w.])(?:/home/runner/work|/Users/runner/work|/__w|[A-Za-z]:[\\/]a)"
    rf"|(?<![\w.])(?:[A-Za-z]:)?(?:[\\/]{_NAME}){{1,8}}?[\\/]_work)"
)
_TEMP = (
    rf"{_WORK}[\\/]_temp{_REST}"
    rf"|(?<![\w.])(?:/private)?(?:/var)?/tmp[\\/]{_NAME}{_REST}"
    rf"|(?<![\w.])(?:/private)?/var/folders{_REST}"
    rf"|(?<![\w.])/(?:github/(?:runner_temp|workflow|home)|runner/_temp){_REST}"
    rf"|(?<![\w.])[A-Za-z]:[\\/](?:{_NAME}[\\/]){{1,6}}?(?:Temp|TEMP|tmp){_REST}"
)
# Words with digits that are no numbers.
_WORDS = (
    r"(?:sha\d+|md5|base\d\d|(?i:utf)-?\d+|x86(?:_64)?|x64|i\d86|amd64|arm(?:64|v\d)"
    r"|aarch64|win(?:32|64)|u?int(?:8|16|32|64)|float(?:32|64)|ip[vV]?[46]|http[23]"
    r"|oauth2|s3|ec2|k8s|e2e|i18n|l10n)"
)
# The codes of errors, such as TS2304, E0599, CS1002 or ORA-00942, tell errors apart.
_CODE = r"(?:[A-Z]{1,6}\d{3,6}|E_?\d+|ORA-\d{5})"
# The letters and digits of the random names that Kubernetes makes.
_POD = "[bcdfghjklmnpqrstvwxz2456789]"

_PATTERNS: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    # Colours whose escape character is lost; `[5m]` is a range of Prometheus.
    (r"\[(?:\d{1,3}(?:;\d{1,3})*)?m(?!\])", ""),
    (_TEMP, "<temp>"),
    (rf"{_WORK}[\\/](?!_)(?:({_NAME})[\\/]\1(?![\w.-])|{_NAME})", "<workspace>"),
    (r"(?<![\w.])/github/workspace\b", "<workspace>"),
    (r"\btmp[._-]?\w{6,12}\b", "<temp>"),
    (r"(?i)(?<!\w)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?!\w)", "<id>"),
    (
        rf"(?<![\d.])\d{{4}}[-/]\d\d[-/]\d\d(?:(?:T| )+{_CLOCK}{_ZONE})?(?!\d)",
        "<time>",
    ),
    (rf"\b(?:{_DAY} )?\d{{1,2}}[ -]{_MONTH}[ -]\d{{4}}(?: {_CLOCK}{_ZONE})?", "<time>"),
    (
        rf"\b(?:{_DAY} )?{_MONTH} {{1,2}}\d{{1,2}},?(?: \d{{4}})?"
        rf"(?: {_CLOCK}{_ZONE}(?: [A-Z]{{3,4}})?)?(?: \d{{4}})?(?!\d)",
        "<time>",
    ),
    (r"(?<![\w:.])\d{1,2}:\d\d:\d\d(?:[.,]\d+)?" + _ZONE + r"(?![\w:])", "<time>"),
    (r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?(?![\w])(?!\.\d)", "<address>"),
    (
        r"(?i)\[[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*(?:%\w+)?\](?::\d{1,5})?",
        "<address>",
    ),
    (
        r"(?i)(?<![\w:])(?:(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}"
        r"|(?:[0-9a-f]{1,4}:){1,6}(?::[0-9a-f]{1,4}){1,6})(?![\w:])",
        "<address>",
    ),
    (r"(?i)(?<![\w:])[0-9a-f]{2}(?::[0-9a-f]{2}){5}(?![\w:])", "<address>"),
    (
        rf"(?<![\w.])(?:\d+(?:[.,]\d+)? ?{_UNIT}(?:,? (?:and )?(?=\d)|(?=\d))?)+"
        rf"|(?<![\w.])(?:\d+(?:\.\d+)?(?:ms|us|ns|[smhd])(?=\d))+\d+(?:\.\d+)?"
        rf"(?:ms|us|ns|[smhd])\b",
        "<duration>",
    ),
    (r"(?<![\w:])::1(?::\d{1,5})?(?![\w:])", "<address>"),
    (rf"(?<=\w)-{_POD}{{8,10}}-{_POD}{{5}}\b", "-<id>"),
    (r"(?i)\b0x[0-9a-f]+\b", "<hex>"),
    # Few commits have no digit or no letter.
    (
        r"(?i)\b((?:commit|sha|revision|rev|tree|head|ref)[ :=@'\"]{1,3})"
        r"[0-9a-f]{7,40}\b",
        r"\1<hex>",
    ),
    # A commit or a digest. Without a digit or a letter it is a word or a number.
    (
        r"(?i)(?<![\w])(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,128}(?![\w])",
        "<hex>",
    ),
    (r"(?i)(?<![\w])[0-9a-f]{32,128}(?![\w])", "<hex>"),
    # The name of a runner.
    (
        r"(?i)(\b(?:self-)?hosted runner:? ).{1,100}?( (?:lost|has|did|was|is)\b)",
        r"\1<runner>\2",
    ),
    (r"(?i)(\brunning on runner ).{1,100}?( has\b)", r"\1<runner>\2"),
    # The line and the column in a file.
    (r"(?<=[A-Za-z]):\d+(?::\d+)?(?!\w)", ":<number>"),
    (
        r"(?:\b(?:ORA|[uU][tT][fF])-)?[A-Za-z\d]*\d[A-Za-z\d]*(?:_64\b)?",
        lambda m: _word(m[0]),
    ),
    (r"<number>(?:[.,:_](?=<number>)<number>)+", "<number>"),
    (r"(?<![\w>])[-+\u2212]<number>", "<number>"),
    (r"<number>(?:(?:, ?| |\u2026|\.\.\.?| ?- ?)<number>)+", "<number>"),
    (r"<number> ?(?:[kKMGT]i?)?(?:B|bytes?)\b", "<size>"),
)
_COMPILED = [(re.compile(pattern), by) for pattern, by in _PATTERNS]
_KNOWN = re.compile(rf"(?:{_WORDS}|{_CODE})", re.ASCII)
_QUOTES = str.maketrans("\u2018\u2019\u201c\u201d\u00b4", "''\"\"'")


def normal_text(text: str, max_bytes: int, *, repo: str = "") -> str:
    """The text with placeholders, of at most `max_bytes` in UTF-8.

    `text` is on one line, without control characters. Texts that differ in numbers,
    ids, times, durations, addresses, the folders of a runner or the name of their own
    repository become equal.
    """
    text = unicodedata.normalize("NFC", text[:MAX_CHARACTERS]).translate(_QUOTES)
    if repo:
        name = rf"(?i)(?<![\w.-]){re.escape(repo)}(?![\w-]|\.(?!git\b)\w)"
        text = re.sub(name, "<repo>", text)
    for pattern, replacement in _COMPILED:
        text = pattern.sub(replacement, text)
    return cut_bytes(" ".join(text.split()), max_bytes)


def cut_bytes(text: str, most: int) -> str:
    """The start of a text within a number of bytes in UTF-8."""
    return text.encode()[:most].decode("utf-8", "ignore")


def _word(word: str) -> str:
    """A word with digits: an id, or a name whose numbers are replaced."""
    if _KNOWN.fullmatch(word):
        return word
    changes = len(re.findall(r"\d(?=[A-Za-z])|[A-Za-z](?=\d)", word))
    # A random name alternates between letters and digits.
    if changes > 1 and len(word) > len("v1b1"):
        return "<id>"
    return re.sub(r"\d+", "<number>", word)
