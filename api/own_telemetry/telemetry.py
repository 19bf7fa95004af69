"""Causeline's own metrics, spans and log lines, sent by OpenTelemetry's SDK to where settings or environment say.

Off unless an endpoint is named. Nothing is set globally, so that a program that embeds Causeline keeps its own
providers.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import socket
import uuid
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from api.errors import SelfIngest
from api.own_telemetry.log_handler import LogHandler
from api.own_telemetry.telemetry_settings import TelemetrySettings
from api.version import version
from correlate.telemetry import Telemetry as CorrelateTelemetry
from ingest.telemetry import SIGNAL, Telemetry
from store.errors import StoreError

_log = logging.getLogger(__name__)
# By it a receiver knows what comes from one of us.
_OWN = "causeline-itself"
_ENVIRONMENT = "OTEL_EXPORTER_OTLP_ENDPOINT"
# An endpoint that does not answer must not hold up the process's end.
_EXPORT_TIMEOUT_S = 2.0
_SPANS_WAIT_S = 5.0


class SelfTelemetry:
    """Providers that export, or none. `stop` sends what is left."""

    def __init__(
        self,
        reader: MetricReader | None = None,
        processor: SpanProcessor | None = None,
        logs: LogRecordProcessor | None = None,
        *,
        part: str = "all",
    ) -> None:
        """`part` names what the process does."""
        self._providers: list[MeterProvider | TracerProvider | LoggerProvider] = []
        self._meters: MeterProvider | None = None
        self._handler: LogHandler | None = None
        self.ingest = Telemetry()
        self.correlate = CorrelateTelemetry()
        if reader is None or processor is None:
            return
        resource = Resource.create(
            {
                "service.name": "causeline",
                "service.version": version(),
                "service.instance.id": str(uuid.uuid4()),
                "causeline.part": part,
                "telemetry.distro.name": _OWN,
            }
        )
        self._meters = MeterProvider([reader], resource, shutdown_on_exit=False)
        tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
        tracers.add_span_processor(processor)
        self._providers = [self._meters, tracers]
        # Batches of nothing but our own telemetry leave no spans, whichever of our processes it comes from.
        self.ingest = Telemetry(self._meters, tracers, _OWN.encode())
        self.correlate = CorrelateTelemetry(self._meters, tracers)
        if logs is not None:
            loggers = LoggerProvider(resource, shutdown_on_exit=False)
            loggers.add_log_record_processor(logs)
            self._providers.append(loggers)
            self._handler = LogHandler(loggers)
            logging.getLogger().addHandler(self._handler)

    @classmethod
    def start(cls, settings: TelemetrySettings, own_ports: Collection[int], part: str = "all") -> SelfTelemetry:
        """Begin to export, if an endpoint is named.

        Raises SelfIngest when the settings name a port of this process and do not allow it. The environment
        may name one for the benefit of other programs: then nothing is exported, and a warning says so.
        """
        endpoint = settings.endpoint or os.environ.get(_ENVIRONMENT, "")
        if not endpoint:
            return cls()
        own = leads_to(endpoint, own_ports)
        if own and not settings.self_ingest:
            message = (
                f"{endpoint} is this very process: it would be sent its own telemetry; name another endpoint, or "
                "set CAUSELINE_TELEMETRY__SELF_INGEST=true if that is what you want"
            )
            if settings.endpoint:
                raise SelfIngest(message)
            _log.warning("%s: %s", _ENVIRONMENT, message)
            return cls()
        base = endpoint.rstrip("/")
        metrics = OTLPMetricExporter(f"{base}/v1/metrics", timeout=_EXPORT_TIMEOUT_S)
        spans = OTLPSpanExporter(f"{base}/v1/traces", timeout=_EXPORT_TIMEOUT_S)
        reader = PeriodicExportingMetricReader(metrics, settings.interval_s * 1000)
        delay_ms = min(_SPANS_WAIT_S, settings.interval_s) * 1000
        lines = OTLPLogExporter(f"{base}/v1/logs", timeout=_EXPORT_TIMEOUT_S)
        return cls(
            reader,
            BatchSpanProcessor(spans, schedule_delay_millis=delay_ms),
            BatchLogRecordProcessor(lines, schedule_delay_millis=delay_ms),
            part=part,
        )

    def watch(self, stored: Callable[[], dict[str, int]]) -> None:
        """Have `stored`, the items stored of each signal, looked at whenever metrics are collected."""
        if self._meters is None:
            return

        def observe(_: CallbackOptions) -> list[Observation]:
            try:
                return [Observation(items, {SIGNAL: signal}) for signal, items in stored().items()]
            except StoreError as error:
                _log.debug("the number of stored items is unknown: %s", error)
                return []

        self._meters.get_meter("causeline.store").create_observable_up_down_counter(
            "causeline.store.items", [observe], "{item}", "Spans, log records and data points stored."
        )

    def stop(self) -> None:
        """Send what is left, as far as the endpoint answers. Safe to call twice."""
        if self._handler is not None:
            logging.getLogger().removeHandler(self._handler)
            self._handler = None
        providers, self._providers = self._providers, []
        for provider in providers:
            provider.shutdown()


def leads_to(endpoint: str, ports: Collection[int]) -> bool:
    """Whether an endpoint is one of these ports of this machine's loopback interface, where we listen."""
    parts = urlsplit(endpoint)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if port not in ports or not parts.hostname:
        return False
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except OSError:
        # Whatever it is, telemetry will not get there.
        return False
    return any(_is_here(str(address[0])) for *_, address in found)


def _is_here(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    # A connection to 0.0.0.0 or :: ends at the loopback interface.
    return address.is_loopback or address.is_unspecified
