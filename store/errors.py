"""Everything the store raises.

StoreError
├── StoreUnavailable      the engine does not answer; the caller may retry
│   └── QueryTooSlow      a query ran longer than it may
├── StoreOverloaded       too many parts, out of memory, disk full; retry after a pause
│   ├── TooManyParts      parts of a partition, or partitions of one insert: smaller inserts may work
│   └── MemoryExceeded    one statement needs more memory than it may use: smaller inserts may work
├── DataDirectoryInUse    another process holds the embedded data directory
├── DataRejected          what was sent cannot be parsed, or a view's check refused it; retrying cannot help
├── ItemsRefused          a view found items that must not be stored; the tables for nested values tell which
├── QueryFailed           a query was refused or broke
│   ├── QueryTooLarge     a query would read or return more rows or bytes than it may
│   └── QueryCancelled    nobody waits for the answer any more
├── UnknownQuery          no .sql file has that name
├── BadRetention          a retention policy cannot be used
├── MutationFailed        a change of rows in the background cannot be done
├── DeletionFailed        there is no such deletion, or it did not delete everything
├── UsersRefused          passwords of the server's users are missing, short or the same
├── MigrationError        a migration failed, or an applied one was edited
└── SchemaDrift           the live tables differ from the migrations
"""

from __future__ import annotations


class StoreError(Exception):
    """Base of all store errors."""


class StoreUnavailable(StoreError):
    """The engine does not answer; the same call may work later."""


class QueryTooSlow(StoreUnavailable):
    """The engine stopped a query at the end of its time; with less to do, or later, it may end in time."""


class StoreOverloaded(StoreUnavailable):
    """The engine refuses work for want of memory, disk or merges."""


class TooManyParts(StoreOverloaded):
    """A partition has too many parts, or one insert touches too many partitions; the engine tells no difference."""


class MemoryExceeded(StoreOverloaded):
    """A statement needs more memory than its own limit; the engine as a whole is not short of it."""


class DataDirectoryInUse(StoreError):
    """Another process owns the embedded data directory."""


class DataRejected(StoreError):
    """The bytes handed to an insert do not match its format or schema."""


class ItemsRefused(StoreError):
    """Some items of an insert must be refused, and the table cannot do it; the one for nested values can."""


class QueryFailed(StoreError):
    """The engine refused or broke off a query."""


class QueryTooLarge(QueryFailed):
    """A query reaches its own limit of rows or bytes, read or returned."""


class QueryCancelled(QueryFailed):
    """Whoever asked is gone, and the query was ended."""


class UnknownQuery(StoreError):
    """No named query of that name ships with this version."""


class BadRetention(StoreError):
    """A retention policy, or the storage policy it names, cannot be used."""


class MutationFailed(StoreError):
    """The engine cannot carry out a mutation."""


class DeletionFailed(StoreError):
    """There is no such deletion, or rows are left that it should have deleted."""


class MigrationError(StoreError):
    """A migration failed, or an applied migration's text has changed."""


class UsersRefused(StoreError):
    """Passwords of the server's users are missing, too short, or used twice."""


class SchemaDrift(StoreError):
    """A live table does not have the columns its migration declares."""


# ClickHouse error codes, https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
TOO_MANY_PARTS = 252
# Ours: what throwIf says in the landing views. The engine's own codes end near 1,100.
ITEMS_REFUSED = 31_001
# TIMEOUT_EXCEEDED and TOO_SLOW; TOO_MANY_ROWS, TOO_MANY_BYTES and TOO_MANY_ROWS_OR_BYTES.
TOO_SLOW_CODES = frozenset({159, 160})
TOO_LARGE_CODES = frozenset({158, 307, 396})
# QUERY_WAS_CANCELLED, and by the client.
CANCELLED_CODES = frozenset({394, 735})
OVERLOADED_CODES = frozenset({202, 241, 243, 999})
UNAVAILABLE_CODES = frozenset({209, 210, 279})
REJECTED_CODES = frozenset(
    {6, 25, 26, 27, 32, 33, 36, 38, 41, 53, 69, 70, 72, 117, 130, 131, 395, 407, 434, 436, 437, 444, 547}
)


# How the engine's text tells a statement's own limit from the whole engine's, which has the same code.
# https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/MemoryTracker.cpp
_MEMORY_LIMIT, _OWN_LIMIT = 241, ("Query memory limit exceeded", "(for query)")
# A length of 2^62 or more is no limit's business: the allocator calls it a defect of the engine's.
# https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/Allocator.cpp
_LOGICAL_ERROR, _NO_SUCH_SIZE = 49, "passed to allocator"


def from_engine(code: int | None, what: str, text: str = "") -> StoreError:
    """The error class for an engine error code and its text; `what` says what was being done."""
    message = f"{what}: engine error {code}" if code else f"{what}: the engine gave no reason"
    if code == TOO_MANY_PARTS:
        return TooManyParts(message)
    if code == _MEMORY_LIMIT and any(phrase in text for phrase in _OWN_LIMIT):
        return MemoryExceeded(message)
    if code == _LOGICAL_ERROR and _NO_SUCH_SIZE in text:
        return MemoryExceeded(message)
    if code == ITEMS_REFUSED:
        return ItemsRefused(message)
    if code in TOO_SLOW_CODES:
        return QueryTooSlow(message)
    if code in CANCELLED_CODES:
        return QueryCancelled(message)
    if code in TOO_LARGE_CODES:
        return QueryTooLarge(message)
    if code in OVERLOADED_CODES:
        return StoreOverloaded(message)
    if code in UNAVAILABLE_CODES:
        return StoreUnavailable(message)
    if code in REJECTED_CODES:
        return DataRejected(message)
    return QueryFailed(message)
