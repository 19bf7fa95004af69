"""A scrape target on loopback: OpenMetrics text at /metrics, Prometheus' protobuf and native histograms at /native.

Values follow from how often the page was asked for, and are kept, so that a test can say what was exposed.
Protobuf: https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto
"""

from __future__ import annotations

import itertools
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from tests.kit.prompb import classes

_TEXT = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
# How many scrapes show the series that goes away.
BRIEF = 2

_CLIENT = classes(
    "io.prometheus.client",
    {
        "LabelPair": ("name 1 string", "value 2 string"),
        "Counter": ("value 1 double",),
        "Gauge": ("value 1 double",),
        "BucketSpan": ("offset 1 sint32", "length 2 uint32"),
        "Histogram": (
            "sample_count 1 uint64", "sample_sum 2 double", "schema 5 sint32", "zero_threshold 6 double",
            "zero_count 7 uint64", "negative_span 9 *BucketSpan", "negative_delta 10 *sint64",
            "positive_span 12 *BucketSpan", "positive_delta 13 *sint64",
        ),
        "Metric": ("label 1 *LabelPair", "gauge 2 Gauge", "counter 3 Counter", "histogram 7 Histogram"),
        "MetricFamily": ("name 1 string", "help 2 string", "type 3 int32", "metric 4 *Metric"),
    },
)  # fmt: skip


def text(n: int) -> str:
    """The n-th page in OpenMetrics text."""
    lines = [
        "# TYPE requests counter",
        "# HELP requests Requests served.",
        f'requests_total{{path="/a",odd="q\\"\\\\\\n é"}} {n * 3} # {{trace_id="{TRACE}",span_id="{SPAN}"}} 0.25',
        "# TYPE gpu_energy_joules unknown",
        "# TYPE DCGM_FI_DEV_GPU_TEMP gauge",
        "# UNIT DCGM_FI_DEV_GPU_TEMP ",
        f'DCGM_FI_DEV_GPU_TEMP{{gpu="0",UUID="GPU-5",Hostname="node-1"}} {60 + n}',
        "# TYPE size_bytes gauge",
        "# UNIT size_bytes bytes",
        f"size_bytes {n}.5",
        "# TYPE not_a_number gauge",
        "not_a_number NaN",
        "# TYPE latency_seconds histogram",
        "# UNIT latency_seconds seconds",
        f'latency_seconds_bucket{{le="0.1"}} {n} # {{trace_id="{TRACE}"}} 0.05',
        f'latency_seconds_bucket{{le="+Inf"}} {2 * n}',
        f"latency_seconds_sum {n * 0.75}",
        f"latency_seconds_count {2 * n}",
        "# TYPE rpc summary",
        f'rpc{{quantile="0.5"}} {n * 0.125}',
        f"rpc_sum {n}",
        f"rpc_count {n}",
    ]
    if n <= BRIEF:
        lines += ["# TYPE brief gauge", f"brief {n}"]
    return "\n".join([*lines, "# EOF", ""])


def native(n: int) -> dict[str, Any]:
    """The n-th native histogram, as its protobuf fields."""
    return {
        "sample_count": 6 * n, "sample_sum": 3.5 * n, "schema": 1, "zero_threshold": 0.01, "zero_count": n,
        "positive_span": [{"offset": -2, "length": 2}, {"offset": 3, "length": 1}], "positive_delta": [n, n, -n],
        "negative_span": [{"offset": 5, "length": 1}], "negative_delta": [n],
    }  # fmt: skip


def _protobuf(n: int) -> bytes:
    families = [
        _CLIENT["MetricFamily"](name="native_seconds", help="A native one.", type=4, metric=[{"histogram": native(n)}]),
        # A counter whose name does not say so.
        _CLIENT["MetricFamily"](
            name="gpu_energy", help="Energy used.", type=0, metric=[{"counter": {"value": n * 2.5}}]
        ),
    ]
    out = b""
    for family in families:
        body = family.SerializeToString()
        size = len(body)
        out += (bytes((size,)) if size < 0x80 else bytes((size & 0x7F | 0x80, size >> 7))) + body
    return out


class Target:
    """The target, serving while the `with` lasts; `address` is its host and port."""

    def __init__(self) -> None:
        counts = {"/metrics": itertools.count(1), "/native": itertools.count(1)}

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                n = next(counts[self.path])
                body, kind = (text(n).encode(), _TEXT) if self.path == "/metrics" else (_protobuf(n), _PROTOBUF)
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class names it so
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Target:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
