"""The dashboards that ship with Causeline: what each answers is in its description and in docs/grafana.md."""

from __future__ import annotations

from grafana.panels import Board, Panel, dependencies, infinity, lines, logql, number, promql, table, variable

_OPEN = "incident_active"
_INCIDENT = variable("incident", "Incident", "label_values(incident_active, incident_id)")
_NODE = variable("node", "Node", "label_values(DCGM_FI_DEV_GPU_UTIL, Hostname)")
_MODEL = variable("model", "Model", "label_values(vllm:num_requests_waiting, model_name)")
_OF_INCIDENT = '{service_name="incidents", incident_id=~"$incident"}'
_ERRORS = 'detected_level=~"error|critical|fatal"'


def _by_node(metric: str) -> str:
    return f'{metric}{{Hostname=~"$node"}}'


def _quantile(share: float, metric: str, by: str = "le", selector: str = "") -> str:
    return f"histogram_quantile({share}, sum by ({by}) (rate({metric}_bucket{selector}[$__rate_interval])))"


def _of_model(metric: str) -> str:
    return _quantile(0.95, metric, "le, model_name", '{model_name=~"$model"}')


def _per_second(metric: str, by: str) -> str:
    return f"sum by ({by}) (rate({metric}[$__rate_interval]))"


FLEET = Board(
    "causeline-fleet",
    "Fleet health",
    "Is anything wrong, where, and is it getting worse? Start here.",
    [
        [
            number("Open incidents", "Incidents that are going on.", promql(f"count({_OPEN}) or vector(0)")),
            number(
                "Critical", "Those that hurt users now.", promql(f'count({_OPEN}{{severity="critical"}}) or vector(0)')
            ),
            number(
                "Calls",
                "Calls a second between services, from spans.",
                promql("sum(rate(traces_spanmetrics_calls_total[$__rate_interval]))"),
                unit="reqps",
            ),
            number(
                "Failed calls",
                "Share of calls whose span ended in an error.",
                promql(
                    'sum(rate(traces_spanmetrics_calls_total{status_code="STATUS_CODE_ERROR"}[$__rate_interval]))'
                    " / sum(rate(traces_spanmetrics_calls_total[$__rate_interval]))"
                ),
                unit="percentunit",
            ),
        ],
        [
            Panel(
                "Incidents by severity",
                "How many are open at a time.",
                [promql(f"count by (severity) ({_OPEN})", "{{severity}}")],
            ),
            Panel(
                "Errors in logs",
                "Lines of level error and above, by service.",
                [
                    logql(
                        f'sum by (service_name) (count_over_time({{service_name=~".+"}} | {_ERRORS} [$__auto]))',
                        "{{service_name}}",
                    )
                ],
            ),
        ],
        [
            Panel(
                "Who calls whom", "Services and the calls between them.", [dependencies()], kind="nodeGraph", height=12
            ),
            Panel(
                "Slowest services",
                "95th percentile of the time that calls take.",
                [promql(_quantile(0.95, "traces_service_graph_request_server_seconds", "le, server"), "{{server}}")],
                unit="s",
                height=12,
            ),
        ],
    ],
)

NODE = Board(
    "causeline-gpu-node",
    "GPU node",
    "Is this node's hardware at fault: errors, heat, power, links, and what its kernel said?",
    [
        [
            Panel(
                "Utilisation",
                "Work that each GPU does.",
                [promql(_by_node("DCGM_FI_DEV_GPU_UTIL"), "{{Hostname}}/{{gpu}}")],
                unit="percent",
            ),
            Panel(
                "Temperature",
                "Degrees of each GPU.",
                [promql(_by_node("DCGM_FI_DEV_GPU_TEMP"), "{{Hostname}}/{{gpu}}")],
                unit="celsius",
            ),
        ],
        [
            Panel(
                "Power",
                "Watts that each GPU draws.",
                [promql(_by_node("DCGM_FI_DEV_POWER_USAGE"), "{{Hostname}}/{{gpu}}")],
                unit="watt",
            ),
            Panel(
                "Xid errors",
                "The last Xid that the driver reported; 0 is none.",
                [promql(_by_node("DCGM_FI_DEV_XID_ERRORS"), "{{Hostname}}/{{gpu}}")],
            ),
        ],
        [
            Panel(
                "Memory errors",
                "Uncorrectable ECC errors, and rows waiting to be remapped.",
                [
                    promql(_by_node("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL"), "uncorrected {{Hostname}}/{{gpu}}"),
                    promql(_by_node("DCGM_FI_DEV_ROW_REMAP_PENDING"), "remap pending {{Hostname}}/{{gpu}}"),
                ],
            ),
            Panel(
                "Link errors",
                "PCIe replays and NVLink recoveries in the last five minutes.",
                [
                    promql(f"increase({_by_node('DCGM_FI_DEV_PCIE_REPLAY_COUNTER')}[5m])", "PCIe {{Hostname}}/{{gpu}}"),
                    promql(
                        f"increase({_by_node('DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL')}[5m])",
                        "NVLink {{Hostname}}/{{gpu}}",
                    ),
                ],
            ),
        ],
        [
            lines(
                "Kernel and driver",
                "Lines that name the NVIDIA driver, a switch or a PCIe error.",
                logql('{service_name=~".+"} |~ `NVRM: Xid|SXid|PCIe Bus Error|oom-kill`'),
                width=24,
                height=10,
            )
        ],
    ],
    [_NODE],
)

OVERVIEW = Board(
    "causeline-incidents",
    "Incident overview",
    "Which incidents are there, and what is the likeliest cause of each?",
    [
        [
            table(
                "Causes, the likeliest first",
                "Ranked causes of open incidents with how sure Causeline is.",
                promql("sort_desc(incident_score)", table=True),
                width=24,
                height=10,
            )
        ],
        [
            table("Open incidents", "What is going on now.", promql(_OPEN, table=True), height=10),
            Panel(
                "By service",
                "Open incidents of each service.",
                [promql(f"count by (service) ({_OPEN})", "{{service}}")],
                height=10,
            ),
        ],
        [
            lines(
                "What became of incidents",
                "Opened, root changed, resolved, reopened, merged.",
                logql('{service_name="incidents"} | event!="signal"'),
                width=24,
                height=10,
            )
        ],
    ],
)

DETAIL = Board(
    "causeline-incident",
    "Incident detail",
    "What happened in this incident, in order, and what proves it?",
    [
        [
            table(
                "Causes",
                "Ranked causes and their scores.",
                promql('sort_desc(incident_score{incident_id=~"$incident"})', table=True),
                height=8,
            ),
            Panel(
                "Open", "When it began and ended.", [promql('incident_active{incident_id=~"$incident"}', "{{title}}")]
            ),
        ],
        [
            lines(
                "Timeline",
                "One line for each signal: what, where, cause or effect.",
                logql(f'{_OF_INCIDENT} | event="signal"'),
                height=14,
            ),
            lines(
                "Journal",
                "What became of it.",
                logql(f'{_OF_INCIDENT} | event!="signal"'),
                height=14,
            ),
        ],
        [
            Panel(
                "Signals by entity type",
                "How it spread.",
                [
                    logql(
                        f'sum by (entity_type) (count_over_time({_OF_INCIDENT} | event="signal" [$__auto]))',
                        "{{entity_type}}",
                    )
                ],
            ),
            Panel(
                "Errors in logs",
                "What services said meanwhile.",
                [
                    logql(
                        f'sum by (service_name) (count_over_time({{service_name=~".+"}} | {_ERRORS} [$__auto]))',
                        "{{service_name}}",
                    )
                ],
            ),
        ],
    ],
    [_INCIDENT],
)

MODELS = Board(
    "causeline-models",
    "Model quality",
    "Are models served in time, and are their answers as good as they were?",
    [
        [
            Panel(
                "Waiting requests",
                "Requests queued at each model server.",
                [promql('vllm:num_requests_waiting{model_name=~"$model"}', "{{model_name}}")],
            ),
            Panel(
                "Time to first token",
                "95th percentile.",
                [
                    promql(
                        _of_model("vllm:time_to_first_token_seconds"),
                        "{{model_name}}",
                    )
                ],
                unit="s",
            ),
        ],
        [
            Panel(
                "KV cache",
                "Share in use; a full cache preempts requests.",
                [promql('vllm:kv_cache_usage_perc{model_name=~"$model"}', "{{model_name}}")],
                unit="percentunit",
            ),
            Panel(
                "Latency of requests",
                "95th percentile, from beginning to end.",
                [
                    promql(
                        _of_model("vllm:e2e_request_latency_seconds"),
                        "{{model_name}}",
                    )
                ],
                unit="s",
            ),
        ],
        [
            Panel(
                "Evaluations",
                "Results of evaluators, by what they evaluate and their label.",
                [
                    logql(
                        "sum by (gen_ai_evaluation_name, gen_ai_evaluation_score_label) "
                        '(count_over_time({service_name=~".+"} | event_name="gen_ai.evaluation.result" [$__auto]))',
                        "{{gen_ai_evaluation_name}} {{gen_ai_evaluation_score_label}}",
                    )
                ],
            ),
            Panel(
                "Causes in quality and data",
                "Scores of causes of that sort.",
                [promql('incident_score{kind=~"(quality|data|drift)[.].+"}', "{{cause}} {{kind}}")],
            ),
        ],
    ],
    [_MODEL],
)

INGEST = Board(
    "causeline-ingest",
    "Ingest health",
    "Does Causeline itself take in everything, quickly? Needs its own telemetry sent to itself (docs/operations.md).",
    [
        [
            Panel(
                "Requests",
                "Answered, by outcome.",
                [
                    promql(
                        _per_second("causeline_ingest_requests_total", "causeline_ingest_outcome"),
                        "{{causeline_ingest_outcome}}",
                    )
                ],
                unit="reqps",
            ),
            Panel(
                "Stored items",
                "Spans, log records and data points stored.",
                [
                    promql(
                        _per_second("causeline_store_items_total", "causeline_signal"),
                        "{{causeline_signal}}",
                    )
                ],
                unit="cps",
            ),
        ],
        [
            Panel(
                "Time to durable",
                "From a batch's first row in the ledger to its last.",
                [
                    promql(_quantile(0.5, "causeline_ingest_commit_duration_seconds"), "p50"),
                    promql(_quantile(0.99, "causeline_ingest_commit_duration_seconds"), "p99"),
                ],
                unit="s",
            ),
            Panel(
                "Waiting",
                "Requests that wait for a batch, and bytes held for them.",
                [
                    promql("causeline_ingest_queue_length", "requests"),
                    promql("causeline_ingest_inflight_bytes", "bytes"),
                ],
            ),
        ],
        [
            Panel(
                "Refused items",
                "By reason.",
                [
                    promql(
                        _per_second("causeline_ingest_items_rejected_total", "causeline_ingest_reason"),
                        "{{causeline_ingest_reason}}",
                    )
                ],
                unit="cps",
            ),
            Panel(
                "Failures of the store",
                "By step.",
                [
                    promql(
                        _per_second("causeline_ingest_store_errors_total", "causeline_ingest_step, error_type"),
                        "{{causeline_ingest_step}} {{error_type}}",
                    )
                ],
                unit="cps",
            ),
        ],
    ],
)

INFINITY = Board(
    "causeline-infinity",
    "Incidents and topology (Infinity)",
    "Ranked tables and the node graph from Causeline's own API; needs the Infinity data source.",
    [
        [
            Panel(
                "Incidents",
                "As Causeline's API lists them.",
                [
                    infinity(
                        "/api/v1/incidents?start=${__timeFrom:date:seconds}&end=${__timeTo:date:seconds}",
                        "incidents",
                        "table",
                    )
                ],
                kind="table",
                width=24,
                height=10,
            )
        ],
        [
            Panel(
                "Topology",
                "Entities and how they hang together.",
                [
                    infinity("/api/v1/topology/nodes", "nodes", "node-graph-nodes"),
                    infinity("/api/v1/topology/edges", "edges", "node-graph-edges"),
                ],
                kind="nodeGraph",
                width=24,
                height=14,
            )
        ],
    ],
)

BOARDS = (FLEET, NODE, OVERVIEW, DETAIL, MODELS, INGEST)
OPTIONAL = (INFINITY,)
