-- Calls of models, retrievers and guardrails as spans tell them: what was asked of which model by which way, what came
-- back, and what a guardrail decided. Only spans with such attributes are read into rows.
-- https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/ and, for guardrails and documents,
-- https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
WITH
    SpanAttributes['openinference.span.kind'] AS span_kind,
    lower(coalesce(
        nullIf(SpanAttributes['guardrail.decision'], ''), nullIf(SpanAttributes['gen_ai.guardrail.decision'], ''),
        nullIf(SpanAttributes['guardrails.decision'], ''), nullIf(SpanAttributes['decision'], ''),
        if(span_kind = 'GUARDRAIL', SpanAttributes['output.value'], '')
    )) AS decided
SELECT
    Timestamp AS time,
    TraceId AS trace_id,
    if(startsWith(ServiceName, 'unknown_service'), '', ServiceName) AS service,
    ResourceAttributes['service.version'] AS version,
    coalesce(nullIf(ResourceAttributes['k8s.pod.name'], ''), ResourceAttributes['pod']) AS pod,
    coalesce(nullIf(ResourceAttributes['k8s.node.name'], ''), '') AS node,
    coalesce(
        nullIf(ResourceAttributes['k8s.nodepool.name'], ''), nullIf(ResourceAttributes['k8s.node.pool'], ''),
        nullIf(ResourceAttributes['cloud.google.com/gke-nodepool'], ''), nullIf(ResourceAttributes['eks.amazonaws.com/nodegroup'], ''),
        nullIf(ResourceAttributes['k8s.node.label.node_pool'], ''), nullIf(ResourceAttributes['hw.gpu.model'], ''), ''
    ) AS pool,
    coalesce(nullIf(SpanAttributes['http.route'], ''), nullIf(SpanAttributes['route'], ''), SpanAttributes['gen_ai.operation.name']) AS route,
    coalesce(nullIf(SpanAttributes['gen_ai.request.model'], ''), SpanAttributes['llm.model_name']) AS model,
    SpanAttributes['gen_ai.response.model'] AS response_model,
    coalesce(nullIf(SpanAttributes['gen_ai.provider.name'], ''), SpanAttributes['gen_ai.system']) AS provider,
    toFloat64OrNull(coalesce(nullIf(SpanAttributes['gen_ai.usage.input_tokens'], ''), SpanAttributes['llm.token_count.prompt'])) AS input_tokens,
    toFloat64OrNull(coalesce(nullIf(SpanAttributes['gen_ai.usage.output_tokens'], ''), SpanAttributes['llm.token_count.completion'])) AS output_tokens,
    multiIf(
        match(decided, 'block|den(y|ied)|reject|refus|fail|intervene'), 'block',
        match(decided, 'modif|redact|mask'), 'modify',
        decided != '', 'allow',
        ''
    ) AS decision
FROM otel_traces
WHERE Tenant = {tenant:String}
    AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) AND Timestamp < fromUnixTimestamp64Nano({end:Int64})
    AND (mapContains(SpanAttributes, 'gen_ai.request.model') OR mapContains(SpanAttributes, 'llm.model_name')
        OR span_kind = 'GUARDRAIL' OR mapContains(SpanAttributes, 'guardrail.decision') OR mapContains(SpanAttributes, 'gen_ai.guardrail.decision'))
