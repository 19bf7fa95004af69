"""Text to promql-parser's tree, with errors worded as Prometheus words them: `1:5: parse error: ...`.

promql-parser says what is wrong but not where, so the place is looked for in the text: it is the first place that the
message can mean, and the start of the text when there is none.
"""

from __future__ import annotations

import re
from itertools import pairwise

import promql_parser as pp

from query.errors import BadQuery

MAX_LENGTH = 64 * 1024
# The parser recurses; deeper texts than people write could exhaust its stack.
MAX_DEPTH = 128
_STRING = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`|#[^\n]*', re.DOTALL)
_OPERATORS = re.compile(
    r"(?:[-+*/%^<>=!~]|\b(?:and|or|unless|atan2|bool|on|ignoring|group_left|group_right)\b)\s*", re.IGNORECASE
)
# A number after @, with its sign.
_AT = re.compile(
    r"@\s*([-+]*\s*(?:[0-9][0-9.xXa-fA-F_]*(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?|inf\b|nan\b))",
    re.IGNORECASE,
)
MAX_SECONDS = 9_000_000_000
_TYPES = {"matrix": "range vector", "vector": "instant vector"}


def parse(text: str) -> pp.Expr:
    """The tree of a query. Raises BadQuery."""
    if len(text) > MAX_LENGTH:
        raise BadQuery(f"query of {len(text)} characters, more than {MAX_LENGTH}")
    if "\x00" in text:
        raise BadQuery(f"{_place(text, text.index(chr(0)))}: parse error: unexpected character: '\\x00'")
    bare = _STRING.sub(lambda found: " " * len(found[0]), text)
    _check_depth(bare)
    _check_times(bare)
    try:
        tree = pp.parse(text)
    except ValueError as error:
        raise BadQuery(_worded(str(error), text)) from error
    return tree


def _check_times(bare: str) -> None:
    """Refuse times after @ that the parser cannot hold: it would stop the process' thread, or take another time."""
    for found in _AT.finditer(bare):
        try:
            seconds = float(found[1])
        except ValueError:
            continue
        if not 0 <= seconds <= MAX_SECONDS:
            raise BadQuery(
                f"{_place(bare, found.start(1))}: parse error: timestamp out of bounds for @ modifier: {found[1][:40]}"
            )


def _check_depth(bare: str) -> None:
    """Refuse nesting that no person writes; strings and comments do not nest."""
    depth = 0
    for place, character in enumerate(bare):
        if character in "([{":
            depth += 1
            if depth > MAX_DEPTH:
                raise BadQuery(f"{_place(bare, place)}: parse error: nested more than {MAX_DEPTH} levels deep")
        elif character in ")]}":
            depth = max(0, depth - 1)
    if len(_OPERATORS.findall(bare)) > MAX_DEPTH * 4:
        raise BadQuery(f"1:1: parse error: more than {MAX_DEPTH * 4} operators")


def _worded(message: str, text: str) -> str:
    place, words = _located(message, text)
    return f"{_place(text, place)}: parse error: {words}"


def _located(message: str, text: str) -> tuple[int, str]:
    """Where in the text, counted from 0, and Prometheus' words for it."""
    end = len(text)
    if found := re.match(r"unknown function with name '(.*)'", message):
        return _find(text, found[1]), f'unknown function with name "{found[1]}"'
    if found := re.match(r"expected type (\w+) in call to function '(\w+)', got (\w+)", message):
        want, got = _TYPES.get(found[1], found[1]), _TYPES.get(found[3], found[3])
        opening = text.find("(", _find(text, found[2]))
        return opening + 1, f'expected type {want} in call to function "{found[2]}", got {got}'
    if found := re.match(r"expected type (\w+) in aggregation expression, got (\w+)", message):
        want, got = _TYPES.get(found[1], found[1]), _TYPES.get(found[2], found[2])
        return max(text.find("(") + 1, 0), f"expected type {want} in aggregation expression, got {got}"
    if found := re.match(r"(expected .*argument\(s\)) in call to '(\w+)', got (\d+)", message):
        return _find(text, found[2]), f'{found[1]} in call to "{found[2]}", got {found[3]}'
    if "comparisons between scalars" in message:
        operator = re.search(r"==|!=|<=|>=|<|>", text)
        return operator.start() if operator else 0, message
    if message in ("unclosed left parenthesis", "unexpected end of input inside braces"):
        return end, message
    if found := re.search(r"unexpected character[^']*'(.)'", message):
        return max(text.rfind(found[1]), 0), message
    if found := re.match(r"bad number or duration syntax: (.*)", message):
        return _find(text, found[1]), f'bad number or duration syntax: "{found[1]}"'
    if message == "invalid promql query":
        return _unexpected(text)
    return 0, message


def _unexpected(text: str) -> tuple[int, str]:
    """The first token after which nothing that follows could help, told from what two neighbours cannot be."""
    tokens = [
        (found.start(), found[0])
        for found in re.finditer(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`|[\w.:]+|==|!=|=~|!~|<=|>=|\S', text)
    ]
    binary = {"+", "*", "/", "%", "^", "==", "!=", "<", ">", "<=", ">=", "and", "or", "unless", "atan2", "-"}
    for (_, before), (place, token) in pairwise(tokens):
        opened = before in {"(", ","} or before in binary
        word = re.match(r"[\w.:]+$", token) is not None and token.lower() not in binary | {
            "by",
            "without",
            "offset",
            "bool",
        }
        if opened and (token in binary - {"+", "-"} or token in {")", ",", "]", "}"}) and (before, token) != ("(", ")"):
            return place, f'unexpected "{token}"'
        if word and re.match(r"[\w.:)\]}]+$", before) and before.lower() not in binary | _MODIFIERS:
            return place, f'unexpected identifier "{token}"'
    if tokens and (tokens[-1][1] in binary or tokens[-1][1] in {",", "by", "without", "offset", "@"}):
        return len(text), "unexpected end of input"
    return (tokens[0][0] if tokens else 0), "invalid promql query"


_MODIFIERS = {"by", "without", "on", "ignoring", "group_left", "group_right", "offset", "bool", "@", ")"}


def _find(text: str, word: str) -> int:
    found = re.search(rf"(?<![\w:]){re.escape(word)}", text)
    return found.start() if found else 0


def _place(text: str, at: int) -> str:
    """Line and column, both from 1."""
    before = text[:at]
    line = before.count("\n") + 1
    return f"{line}:{len(before.encode()) - len(before[: before.rfind(chr(10)) + 1].encode()) + 1}"
