-- Results of online evaluators: gen_ai.evaluation.result events, by event name or (older SDKs) by attribute.
-- One that was delivered twice is one: tests on a few scores must not take an echo for more evidence.
SELECT DISTINCT
    Timestamp AS time,
    LogAttributes['gen_ai.evaluation.name'] AS name,
    toFloat64OrNull(LogAttributes['gen_ai.evaluation.score.value']) AS score,
    LogAttributes['gen_ai.evaluation.score.label'] AS label,
    coalesce(nullIf(LogAttributes['gen_ai.request.model'], ''), LogAttributes['gen_ai.response.model']) AS model,
    LogAttributes['gen_ai.response.id'] AS response_id,
    TraceId AS trace_id,
    ServiceName AS service,
    ResourceAttributes['k8s.pod.name'] AS pod,
    ResourceAttributes['service.version'] AS version
FROM otel_logs
WHERE Tenant = {tenant:String}
    AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) AND Timestamp < fromUnixTimestamp64Nano({end:Int64})
    AND (EventName = 'gen_ai.evaluation.result' OR LogAttributes['event.name'] = 'gen_ai.evaluation.result')
    AND LogAttributes['gen_ai.evaluation.name'] != ''
