"""Lines that Python's logging has, as OpenTelemetry log records. The SDK's own handler is deprecated and moves away."""

from __future__ import annotations

import logging

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider

# https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber
_SEVERITIES = (
    (logging.CRITICAL, SeverityNumber.FATAL),
    (logging.ERROR, SeverityNumber.ERROR),
    (logging.WARNING, SeverityNumber.WARN),
    (logging.INFO, SeverityNumber.INFO),
)
# What sends the records may log that it cannot: that would be sent, and so on.
_NOT_OURS = ("opentelemetry", "urllib3", "requests")


class LogHandler(logging.Handler):
    """Hands warnings and worse to the provider, which sends them later, from a thread of its own."""

    def __init__(self, provider: LoggerProvider) -> None:
        super().__init__(logging.WARNING)
        self._provider = provider

    def emit(self, record: logging.LogRecord) -> None:
        """Hand over one line."""
        if record.name.startswith(_NOT_OURS):
            return
        severity = next((number for level, number in _SEVERITIES if record.levelno >= level), SeverityNumber.DEBUG)
        attributes: dict[str, str] = {}
        if record.exc_info and record.exc_info[0] is not None:
            # The type alone: what an exception says may quote telemetry.
            attributes["exception.type"] = record.exc_info[0].__name__
        self._provider.get_logger(record.name).emit(
            LogRecord(
                timestamp=int(record.created * 1e9),
                severity_number=severity,
                severity_text=record.levelname,
                body=record.getMessage(),
                attributes=attributes,
            )
        )
