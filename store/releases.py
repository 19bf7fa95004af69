"""Which ClickHouse versions are safe to run.

CVE-2026-116366 runs code for whoever reaches the HTTP port, without a password, through a compressed body. It is fixed
in the versions below; lines between them got no fix.
"""

from __future__ import annotations

from store.finding import Finding, Grade

_FIXED = ((26, 3, 62, 3), (26, 8, 36, 3), (26, 9, 27, 3), (26, 10, 3, 7))
_CVE = "CVE-2026-116366: code runs for anybody who reaches its HTTP port"


def judge(version: str, *, embedded: bool) -> Finding:
    """What to think of an engine's version, as it tells it: `26.8.36.3`."""
    parts = tuple(int(part) for part in version.split(".") if part.isdigit())
    line = [floor for floor in _FIXED if floor[:2] == parts[:2]]
    fixed = parts >= line[0] if line else parts[:2] > _FIXED[-1][:2]
    if embedded:
        return Finding("version", Grade.OK, f"embedded engine {version}, which listens on no port")
    if fixed:
        return Finding("version", Grade.OK, f"ClickHouse {version}")
    newer = next((floor for floor in _FIXED if floor[:2] >= parts[:2]), _FIXED[-1])
    return Finding(
        "version", Grade.PROBLEM, f"ClickHouse {version} has {_CVE}", f"upgrade to {'.'.join(map(str, newer))} or newer"
    )
