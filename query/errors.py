"""Everything a query language raises.

QueryError
├── BadQuery           the text or a parameter is wrong; asking again cannot help
├── QueryFailed        understood, but the data found does not allow an answer
├── Incompatible       two native histograms whose buckets do not go together
├── QueryLimitExceeded more points, series, samples or bytes than one query may have
└── QueryTimeout       the query took longer than it may
"""

from __future__ import annotations


class QueryError(Exception):
    """Base of all errors of query languages; the text is for the user."""


class BadQuery(QueryError):
    """The query or one of its parameters cannot be understood; says where."""


class QueryFailed(QueryError):
    """The query is well formed, but what it found cannot be computed with: two series match where one may."""


class Incompatible(QueryError):
    """Native histograms with exponential and with custom buckets do not add up; a warning says so to the user."""


class QueryLimitExceeded(QueryError):
    """The answer, or the way to it, is larger than one query may be."""


class QueryTimeout(QueryError):
    """The query did not end in its time."""
