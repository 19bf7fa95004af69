"""Every read there is, how it is asked, and what is in it: a route that is added needs a line here."""

from __future__ import annotations

import time
from typing import Any

from store import Window
from tests.kit.causal import T0, nanos

OURS, THEIRS = "aardvark", "zebra"
SECOND = 10**9
# What happened, happened ten minutes ago: some reads look at the last hour only.
AGO = time.time() - 600 - T0
NOW = nanos(AGO)
WINDOW = Window(nanos(AGO - 60), nanos(AGO + 3600))
TRACE = {OURS: "0a" * 16, THEIRS: "0b" * 16}
SPAN = {"start": str(NOW // SECOND - 300), "end": str(NOW // SECOND + 300)}
MICROS = {"start": str(NOW // 1000 - 300_000_000), "end": str(NOW // 1000 + 300_000_000)}
LINES = {"query": '{service_name=~".+"}', **SPAN}
ALL = '{__name__=~".+"}'

# Path of a read -> its queries; {mark} and other names in braces are the asked tenant's own. Paths are asked by GET,
# and those of the second table by a form.
READS: dict[str, list[dict[str, Any]]] = {
    "/api/v1/incidents": [{}, {"q": "{mark}"}, {"entity": "{mark}-gpu"}, {"cursor": "{cursor}", "limit": 1}],
    "/api/v1/incidents/{incident_id}": [{}],
    "/api/v1/incidents/{incident_id}/why-not": [{"entity": "pod/{mark}-pod"}],
    "/api/v1/incidents/{incident_id}/report": [{}, {"format": "markdown"}],
    "/api/v1/incidents/{incident_id}/evidence": [{}],
    "/api/v1/feedback": [{}, {"incident_id": "{incident_id}"}],
    "/api/v1/signals/{signal_id}": [{}],
    "/api/v1/signals/{signal_id}/evidence": [{}],
    "/api/v1/entities": [{}, {"q": "{mark}"}, {"type": "gpu"}],
    "/api/v1/entities/{entity_type}/{name}": [{}],
    "/api/v1/topology": [{}, {"entity": "gpu/{mark}-gpu"}],
    "/api/v1/topology/nodes": [{}],
    "/api/v1/topology/edges": [{}],
    "/api/v1/logs": [SPAN, {**SPAN, "trace_id": "{trace_id}"}, {**SPAN, "service": "{mark}-svc"}],
    "/api/v1/spans": [SPAN, {**SPAN, "service": "{mark}-svc"}],
    "/api/v1/traces/{trace_id}": [{}],
    "/api/v1/series": [{**SPAN, "metric": "{mark}_queue"}],
    "/api/v1/correlations": [{}],
    "/api/v1/correlations/{job_id}": [{}],
    "/api/v1/correlations/{job_id}/quarantined": [{}],
    "/api/v1/rule-failures": [{}],
    "/api/v1/status": [{}],
    "/api/v1/keys": [{}, {"tenant": "{tenant}"}],
    "/api/v1/audit": [{}, {"tenant": "{tenant}"}, {"who": "{mark}-admin"}],
    "/api/v1/deletions": [{}],
    "/api/v1/deletions/{deletion_id}": [{}],
    "/api/v1/retention/plan": [{}, {"days": "3650"}],
    "/api/v1/retention/runs/{run_id}": [{}],
    "/prometheus/api/v1/query": [{"query": ALL, "time": SPAN["end"]}, {"query": "incident_active"}],
    "/prometheus/api/v1/query_range": [{"query": f"count by (job) ({ALL})", **SPAN, "step": "30"}],
    "/prometheus/api/v1/series": [{"match[]": ALL, **SPAN}],
    "/prometheus/api/v1/labels": [SPAN],
    "/prometheus/api/v1/label/{label}/values": [SPAN],
    "/prometheus/api/v1/metadata": [{}, {"metric": "{mark}_queue"}],
    "/prometheus/api/v1/query_exemplars": [{"query": "{mark}_queue", **SPAN}],
    "/prometheus/api/v1/rules": [{}],
    "/prometheus/api/v1/alerts": [{}],
    "/jaeger/api/services": [{}],
    "/jaeger/api/services/{service}/operations": [{}],
    "/jaeger/api/operations": [{"service": "{mark}-svc"}],
    "/jaeger/api/traces": [{"service": "{mark}-svc", **MICROS}, {"traceID": "{trace_id}"}],
    "/jaeger/api/traces/{trace_id}": [{}],
    "/jaeger/api/dependencies": [{"endTs": str(NOW // 1_000_000 + 300_000), "lookback": "3600000"}],
    "/loki/loki/api/v1/query": [{"query": "sum by (service_name) (count_over_time({service_name=~\".+\"}[1h]))"}],
    "/loki/loki/api/v1/query_range": [LINES, {**LINES, "query": '{service_name="{mark}-svc"}'}],
    "/loki/loki/api/v1/labels": [SPAN],
    "/loki/loki/api/v1/label/{loki_label}/values": [SPAN],
    "/loki/loki/api/v1/series": [{"match[]": LINES["query"], **SPAN}],
    "/loki/loki/api/v1/index/stats": [LINES],
    "/loki/loki/api/v1/index/volume": [LINES],
    "/loki/loki/api/v1/detected_fields": [LINES],
    "/loki/loki/api/v1/detected_field/{field}/values": [LINES],
    "/tempo/api/traces/{trace_id}": [{}],
}  # fmt: skip
FORMS = {
    path: READS[f"/prometheus/api/v1/{path}"]
    for path in ("query", "query_range", "series", "labels", "query_exemplars")
}
# Reads of what no tenant owns.
NOBODYS = {
    "/healthz", "/readyz", "/docs", "/docs/oauth2-redirect", "/openapi.json", "/prometheus/api/v1/status/buildinfo",
    "/prometheus/api/v1/format_query", "/tempo/api/echo",
}  # fmt: skip
# Followed in a test of its own, because it does not end.
ENDLESS = {"/api/v1/incidents/stream"}
# What shows counts only, or is empty of itself here: their owner's word need not be in them.
WORDLESS = {
    "/api/v1/status", "/api/v1/rule-failures", "/api/v1/correlations/{job_id}/quarantined", "/api/v1/correlations",
    "/api/v1/correlations/{job_id}", "/api/v1/retention/plan", "/prometheus/api/v1/labels", "/loki/loki/api/v1/labels",
    "/loki/loki/api/v1/index/stats", "/loki/loki/api/v1/index/volume",
}  # fmt: skip
# Not one of these ids may be known to anybody else: 404, as for an id that nobody has.
BY_ID = ("{incident_id}", "{signal_id}", "{trace_id}", "{job_id}", "{name}", "{deletion_id}", "{run_id}")
