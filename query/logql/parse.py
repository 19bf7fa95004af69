"""Text to the parts of `query.logql.syntax`, by the grammar beside this module."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Any

import re2
from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedInput, UnexpectedToken, VisitError

from query.errors import BadQuery
from query.logql import syntax as s

MAX_TEXT = 10_000
MAX_PATTERN = 1_000
# Stages, operators and matchers together; what people and Grafana write has a dozen.
MAX_PARTS = 200
_UNITS = {
    "ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9,
    "d": 86_400 * 10**9, "w": 7 * 86_400 * 10**9, "y": 365 * 86_400 * 10**9,
}  # fmt: skip
_PIECE = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|[smhdwy])")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_PLAIN = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\\": "\\", '"': '"', "'": "'"}
_FIELD = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_FIELD_NAME = re.compile(r"\s*\.([A-Za-z_][A-Za-z0-9_]*)\s*|\s*(__line__|__timestamp__)\s*")
# What LogQL has and this does not; named in the error, so that nobody looks for a typing mistake.
_UNSUPPORTED = re.compile(
    r"unwrap|pattern|regexp|unpack|decolorize|label_format|label_replace|(?:sum|avg|max|min|first|last|stdvar|stddev|"
    r"quantile|absent)_over_time|rate_counter|absent|stddev|stdvar|quantile|sort_desc|sort|approx_topk|count_values|"
    r"group_left|group_right|ignoring|on|and|or|unless|variants|ip"
)


def parse(text: str) -> s.Query:
    """The query. Raises BadQuery saying what cannot be read and where, or what is not supported."""
    if len(text) > MAX_TEXT:
        raise BadQuery(f"the query is longer than {MAX_TEXT} characters")
    if not text.strip():
        raise BadQuery("parse error: the query is empty")
    try:
        tree: Any = _grammar().parse(text)
    except UnexpectedInput as error:
        raise BadQuery(_explained(text, error)) from error
    except VisitError as error:
        # Lark wraps what the builder raises.
        if isinstance(error.orig_exc, BadQuery):
            raise error.orig_exc from error
        raise
    return tree  # type: ignore[no-any-return]


def parse_selector(text: str) -> s.LogQuery:
    """A query that is a selector with or without stages. Raises BadQuery."""
    query = parse(text)
    if not isinstance(query, s.LogQuery):
        raise BadQuery('a stream selector is expected here, such as {service_name="api"}')
    return query


@cache
def _grammar() -> Lark:
    text = files(__package__).joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", lexer="contextual", transformer=_Builder())


def _explained(text: str, error: UnexpectedInput) -> str:
    ends = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    place: int | None = error.pos_in_stream
    at = len(text) if ends or place is None else place
    before = re.search(r"([A-Za-z_]\w*)\W*$", text[:at])
    here = re.match(r"[A-Za-z_]\w*", text[at:])
    if re.search(r"[|!]>", text[max(at - 1, 0) : at + 2]):
        return "pattern filters (|> and !>) are not supported"
    for found in (here and here[0], before and before[1]):
        if found and _UNSUPPORTED.fullmatch(found):
            return f"{found} is not supported"
    if ends:
        return "parse error: the query ends too early"
    return f"parse error at line {error.line}, col {error.column}: unexpected {text[at : at + 20]!r}"


def duration(text: str) -> int:
    """Nanoseconds of a duration such as 1h30m; 0 for text without one. Raises BadQuery beyond a century."""
    total = sum(float(number) * _UNITS[unit] for number, unit in _PIECE.findall(text))
    if total > 100 * _UNITS["y"]:
        raise BadQuery(f"the duration {text[:40]!r} is longer than a century")
    return round(total)


def number_of_bytes(text: str) -> float:
    """Bytes of a size such as 5KiB or 1.5MB; a unit with i counts in 1024s."""
    digits, unit = re.fullmatch(r"([\d.]+)([a-z]*)", text.lower()).groups()  # type: ignore[union-attr]
    power = "bkmgtp".index(unit[0])
    return float(digits) * float((1024 if "i" in unit else 1000) ** power)


def unquoted(token: str) -> str:
    """The text of a string as Go writes it. Raises BadQuery."""
    text = token[1:-1] if token.startswith("`") else _ESCAPE.sub(_escape, token[1:-1])
    if "\x00" in text or re.search("[\ud800-\udfff]", text):
        raise BadQuery("a string holds a character that no line can hold")
    return text


def _escape(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] in "xuU" and len(code) > 1:
        number = int(code[1:], 16)
    elif len(code) == 3:
        number = int(code, 8)
    elif code in _PLAIN:
        return _PLAIN[code]
    else:
        raise BadQuery(f"invalid escape \\{code[:1]} in a string; use \\\\ or backticks")
    if number > 0x10FFFF:
        raise BadQuery("a string has an escape beyond Unicode")
    return chr(number)


def checked_pattern(text: str) -> str:
    """A regular expression that the engine will take. Raises BadQuery."""
    if len(text) > MAX_PATTERN:
        raise BadQuery(f"a regular expression is longer than {MAX_PATTERN} characters")
    options = re2.Options()
    options.log_errors = False
    # A little less than the engine allows, which wraps the expression in anchors.
    options.max_mem = 1 << 20
    try:
        # RE2 needs linear time, whatever the expression (https://github.com/google/re2/wiki/WhyRE2).
        re2.compile(text, options)
    except re2.error as error:
        raise BadQuery(f"invalid regular expression {text[:100]!r}: {_words(error)}") from error
    return text


def _words(error: re2.error) -> str:
    (first, *_) = error.args or ("cannot be compiled",)
    return first.decode(errors="replace") if isinstance(first, bytes) else str(first)


class _Builder(Transformer[Token, Any]):
    """Builds the parts while the parser reduces, so that no depth of nesting needs a stack."""

    def start(self, children: list[Any]) -> s.Query:
        (query,) = children
        if _size(query) > MAX_PARTS:
            raise BadQuery(f"the query has more than {MAX_PARTS} parts")
        return query  # type: ignore[no-any-return]

    def label(self, children: list[Token]) -> str:
        return str(children[0])

    def matcher(self, children: list[Any]) -> s.Matcher:
        name, op, value = children
        text = unquoted(value)
        return s.Matcher(name, str(op), checked_pattern(text) if "~" in op else text)

    text_check = matcher

    def selector(self, children: list[Any]) -> tuple[s.Matcher, ...]:
        matchers = tuple(each for each in children if each is not None)
        if not any(_needs_something(matcher) for matcher in matchers):
            raise BadQuery(
                "queries require at least one regexp or equality matcher that does not have an empty-compatible value. "
                'For instance, app=~".*" does not meet this requirement, but app=~".+" will'
            )
        return matchers

    def line_filter(self, children: list[Token]) -> s.LineFilter:
        op, *values = children
        texts = tuple(map(unquoted, values))
        return s.LineFilter(str(op), tuple(map(checked_pattern, texts)) if "~" in op else texts)

    def json(self, _: list[Any]) -> s.Parse:
        return s.Parse("json")

    def logfmt(self, _: list[Any]) -> s.Parse:
        return s.Parse("logfmt")

    def line_format(self, children: list[Token]) -> s.LineFormat:
        template = unquoted(children[0])
        parts: list[tuple[bool, str]] = []
        end = 0
        for match in _FIELD.finditer(template):
            field = _FIELD_NAME.fullmatch(match[1])
            if field is None or field[2] == "__timestamp__":
                raise BadQuery(f"line_format with {match[0][:60]!r} is not supported; fields such as {{{{.name}}}} are")
            parts += [(False, template[end : match.start()]), (True, field[1] or field[2])]
            end = match.end()
        return s.LineFormat((*parts, (False, template[end:])))

    def chosen(self, children: list[Any]) -> tuple[str, s.Matcher | None]:
        return (children[0], self.matcher(children) if len(children) == 3 else None)

    def drop(self, children: list[Any]) -> s.Choose:
        return s.Choose(False, tuple(children))

    def keep(self, children: list[Any]) -> s.Choose:
        return s.Choose(True, tuple(children))

    def label_filter(self, children: list[Any]) -> s.LabelFilter:
        return s.LabelFilter(children[0])

    def any_of(self, children: list[Any]) -> s.Condition:
        return children[0] if len(children) == 1 else s.AnyOf(tuple(children))

    def all_of(self, children: list[Any]) -> s.Condition:
        return children[0] if len(children) == 1 else s.AllOf(tuple(children))

    def number_check(self, children: list[Any]) -> s.Compare:
        return _compare(children, float(children[2]), "number")

    def duration_check(self, children: list[Any]) -> s.Compare:
        return _compare(children, duration(children[2]) / 1e9, "duration")

    def bytes_check(self, children: list[Any]) -> s.Compare:
        return _compare(children, number_of_bytes(children[2]), "bytes")

    def log_query(self, children: list[Any]) -> s.LogQuery:
        return s.LogQuery(children[0], tuple(children[1:]))

    def inner_query(self, children: list[Any]) -> s.LogQuery:
        return children[0]  # type: ignore[no-any-return]

    def offset(self, children: list[Token]) -> int:
        return duration(children[0])

    def log_range(self, children: list[Any]) -> tuple[s.LogQuery, int, int]:
        first, *rest = children
        length = next(duration(each) for each in rest if isinstance(each, Token))
        offset = next((each for each in rest if isinstance(each, int)), 0)
        stages = [each for each in rest if not isinstance(each, Token | int)]
        if length <= 0:
            raise BadQuery("the range of a query over time must be longer than 0")
        query = first if isinstance(first, s.LogQuery) else s.LogQuery(first, tuple(stages))
        return query, length, offset

    def range_aggregation(self, children: list[Any]) -> s.RangeAggregation:
        op, (query, length, offset) = children
        return s.RangeAggregation(str(op), query, length, offset)

    def grouping(self, children: list[Any]) -> s.Grouping:
        how, *names = children
        return s.Grouping(tuple(name for name in names if name is not None), str(how) == "without")

    def vector_aggregation(self, children: list[Any]) -> s.VectorAggregation:
        op = str(children[0])
        grouping = next((each for each in children if isinstance(each, s.Grouping)), None)
        number = next((each for each in children[1:] if isinstance(each, Token)), None)
        (of,) = [each for each in children[1:] if not isinstance(each, Token | s.Grouping)]
        if number is None:
            return s.VectorAggregation(op, of, grouping)
        if not float(number).is_integer() or not 1 <= float(number) <= 10_000:
            raise BadQuery(f"{op} needs a whole number from 1 to 10000")
        return s.VectorAggregation(op, of, grouping, int(float(number)))

    def vector(self, children: list[Token]) -> s.Vector:
        return s.Vector(float(children[0]))

    def number(self, children: list[Token]) -> s.Number:
        return s.Number(float(children[0]))

    @v_args(inline=True)
    def comparison(self, *children: Any) -> s.Metric:
        return _left_to_right(children)

    sum = product = power = comparison


def _compare(children: list[Any], value: float, kind: str) -> s.Compare:
    name, op, _ = children
    if "~" in op:
        raise BadQuery(f"{op} needs a text on its right")
    return s.Compare(name, "=" if op in ("=", "==") else str(op), value, kind)


def _left_to_right(children: tuple[Any, ...]) -> s.Metric:
    left, rest = children[0], list(children[1:])
    while rest:
        op = str(rest.pop(0))
        returns_bool = isinstance(rest[0], Token)
        if returns_bool:
            rest.pop(0)
        if returns_bool and op not in {"==", "!=", ">", "<", ">=", "<="}:
            raise BadQuery("bool modifier can only be used on comparison operators")
        left = s.Binary(op, left, rest.pop(0), returns_bool)
    return left  # type: ignore[no-any-return]


def _needs_something(matcher: s.Matcher) -> bool:
    if matcher.op == "=":
        return matcher.value != ""
    if matcher.op == "=~":
        return re2.fullmatch(matcher.value, "") is None
    return False


def _size(part: Any) -> int:
    """How many parts a query has, counted without recursion."""
    waiting, count = [part], 0
    while waiting and count <= MAX_PARTS:
        each = waiting.pop()
        count += 1
        if isinstance(each, tuple):
            waiting += [item for item in each if not isinstance(item, str | bool)]
        elif hasattr(each, "__slots__"):
            waiting += [
                value for name in each.__slots__ if not isinstance(value := getattr(each, name), str | int | float)
            ]
    return count
