"""Whether a request may hold something that the redaction policy names, told from its bytes.

Most requests do not, and go where nothing looks at their texts again. A wrong yes costs time: the views look
more closely and find nothing. There is no wrong no: the pattern matches wherever a rule does.
"""

from __future__ import annotations

import re2

from ingest.redaction_policy import Policy

_MEMORY = 32 * 1024 * 1024


class SecretScan:
    """One pass over a body, whatever the number of rules; about 0.6 GB/s. Safe to use from any thread.

    With `symbols` for requests of remote write 2.0, else for those of OTLP and of remote write 1.0.
    """

    def __init__(self, policy: Policy, *, symbols: bool = False) -> None:
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.never_capture = True
        options.log_errors = False
        options.max_mem = _MEMORY
        pattern = policy.scan_pattern(symbols=symbols)
        self._pattern = re2.compile(pattern.encode(), options) if pattern else None

    def suspects(self, body: bytes) -> bool:
        """Whether some rule may find something in the body of a request."""
        return self._pattern is not None and self._pattern.search(body) is not None
