"""Log templates: what a line says once its numbers, ids, names and payloads are taken out.

Everything is a polars expression (regular expressions of the Rust regex crate), so a template costs
a few microseconds a line and needs no training and no state: the same line has the same template in
every window and on every machine.
"""

from __future__ import annotations

import polars as pl

ANY = "<*>"

# A statement's wording is in front; what follows is nearly always payload.
_READ_CHARACTERS = 400
_KEPT_CHARACTERS = 120

# The sentence inside a JSON line; its other fields are payload.
_JSON_MESSAGE = r'^\s*\{.*?"(?:msg|message|log|event)"\s*:\s*"((?:[^"\\]|\\.)*)'

# In this order: each step relies on the ones before it.
_STEPS: tuple[tuple[str, str], ...] = (
    # UUIDs, then hexadecimal ids and addresses.
    (r"(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", ANY),
    (r"(?i)\b(?:0x[0-9a-f]+|[0-9a-f]{16,})\b", ANY),
    # Quoted text, and what stands behind key= or "[key: " or "{key is ".
    (r'"[^"]*"', ANY),
    (r"([A-Za-z_]+)=[^\s,;&\])}]*", "${1}=" + ANY),
    (r"([\[{(][^\[\]{}():=]{1,40}(?::|：| is ) ?)[^\]\[{}()]+", "${1}" + ANY),
    # Any word with a digit in it: times, versions, addresses, counters, short ids.
    (r"\S*[0-9]\S*", ANY),
    (r"<\*>(?:[\s,]*<\*>)+", ANY),
)

_FIELD = r"""(?i:\b(?:level|severity|lvl)["']?\s*[=:]\s*["']?(?:{}))\b"""
_FATAL_WORD = _FIELD.format("fatal|critical|panic|emerg") + r"|\b(?:FATAL|CRITICAL|PANIC)\b"
_ERROR_WORD = (
    _FIELD.format("error|err|severe")
    + r"|\b(?:ERROR|SEVERE|[A-Z][A-Za-z.]*(?:Exception|Error))\b|^Traceback |^E[0-9]{4} "
)
_WARN_WORD = _FIELD.format("warn|warning") + r"|\b(?:WARN|WARNING)\b|^W[0-9]{4} "

# SeverityNumber: https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber
INFO, WARN, ERROR, FATAL = 9, 13, 17, 21


def message(body: str = "body") -> pl.Expr:
    """What a line says: the sentence inside a JSON line, else the line, at most 400 characters."""
    start = pl.col(body).str.slice(0, _READ_CHARACTERS)
    return pl.coalesce(start.str.extract(_JSON_MESSAGE), start)


def template(body: str = "body") -> pl.Expr:
    """Template of the named text column, at most 120 characters."""
    text = message(body)
    for pattern, replacement in _STEPS:
        text = text.str.replace_all(pattern, replacement)
    return text.str.slice(0, _KEPT_CHARACTERS)


def level(severity: str = "severity", body: str = "body") -> pl.Expr:
    """SeverityNumber of a line, read from the words of its body when the record has none (0).

    Lines without either count as INFO.
    """
    start = pl.col(body).str.slice(0, _READ_CHARACTERS)
    words = (
        pl.when(start.str.contains(_FATAL_WORD))
        .then(FATAL)
        .when(start.str.contains(_ERROR_WORD))
        .then(ERROR)
        .when(start.str.contains(_WARN_WORD))
        .then(WARN)
        .otherwise(INFO)
    )
    return pl.when(pl.col(severity) > 0).then(pl.col(severity)).otherwise(words).cast(pl.Int32)


def readable(text: pl.Expr, characters: int = 80) -> pl.Expr:
    """A template shortened for a sentence: one line, without the times and ids in front."""
    behind_ids = text.str.replace_all(r"\s+", " ").str.replace(r"^.*(?i:span_?id)\W*<\*> *", "")
    plain = behind_ids.str.replace(r"^(?:\W*<\*>\W*)+", "")
    kept = pl.when(plain.str.strip_chars() == "").then(text).otherwise(plain).str.strip_chars()
    return pl.when(kept.str.len_chars() > characters).then(kept.str.slice(0, characters) + "...").otherwise(kept)


def ms(milliseconds: str) -> pl.Expr:
    """A duration column in milliseconds as an SRE reads it: 0.4 ms, 37 ms, 5.2 s."""
    value = pl.col(milliseconds)
    return (
        pl.when(value >= 1000)
        .then(pl.format("{} s", (value / 1000).round(1)))
        .when(value >= 10)
        .then(pl.format("{} ms", value.round(0).cast(pl.Int64)))
        .otherwise(pl.format("{} ms", value.round(1)))
    )
