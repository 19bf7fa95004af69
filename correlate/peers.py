"""Log lines that report how another system failed: whom they name, and in which way.

The side that answers with a server error, does not answer, cannot be resolved or shows an expired certificate is the
suspect, and not the one that says so.
Sources: https://www.rfc-editor.org/rfc/rfc9110#name-server-error-5xx (a server error is the answering side's),
https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.5 (validity), https://www.rfc-editor.org/rfc/rfc1035 (names)
"""

from __future__ import annotations

import polars as pl

CERTIFICATE = (
    r"(?i)certificate (?:has|is) (?:expired|not yet valid)|certificate.{0,80}\bis expired|cert_has_expired"
    r"|certificate_expired|notafter"
)
NAMES = (
    r"(?i)no such host|server misbehaving|enotfound|eai_again|eai_noname|name resol(?:ution|ver)|servfail|unknownhost"
    r"|could not resolve|cannot resolve|nxdomain|name or service not known|lookup \S+ on \S+:53|nodename nor servname"
)
_SERVER_ERROR = (
    r"(?i)(?:returned|status(?: code)?:?|code:?|http|\()\s*5\d\d\b|\b5\d\d\b.{0,24}(?:from|error)"
    r"|service ?unavailable|internal ?(?:server ?)?error \(|slowdown|bad gateway|gateway time-?out|server error"
)
_NO_ANSWER = (
    r"(?i)connection (?:refused|reset|timed? ?out|closed)|(?:reset|refused|closed) (?:the )?connection"
    r"|econn\w+|etimedout|unreachable|no route to host|timed? ?out"
    r"|deadline|unavailable|did not respond|no response|broken pipe|not responding"
)
FAILS = f"{_SERVER_ERROR}|{_NO_ANSWER}"
# Someone else is spoken of: an address, a downstream or upstream, a name behind a preposition.
_ANOTHER = (
    r"(?i)://|\bhost[=:]|upstream|downstream|remote|\b(?:to|from|by|on|with|calling|call|dial|lookup|obtain)\b\s+\S"
    r"|endpoint|peer\b"
)
_OWN = r"(?i)acquir\w+ (?:a )?connection|pool|query exceeded|statement|transaction"

HOST = (
    r"(?i)(?:://(?:[^\s/@]+@)?|\bhost[=:\"' ]+|\blookup |enotfound |eai_again |unknownhostexception: "
    r"|\bresolve (?:host:? )?|(?:connect\w*|handshake|request|requests|call|calls|retry|failed) (?:to|with|from|for|:) "
    r"|(?:from|to|for) )((?:[a-z0-9_-]+\.)+[a-z][a-z0-9-]*[a-z0-9])(?::\d+)?"
)
"""Group 1 is the host that a line names as its peer: with a dot, and no bare address."""


def tells_of_another(text: pl.Expr) -> pl.Expr:
    """Whether a line reports another system's failure."""
    return text.str.contains(f"{CERTIFICATE}|{NAMES}") | (
        text.str.contains(FAILS) & text.str.contains(_ANOTHER) & ~text.str.contains(_OWN)
    )
