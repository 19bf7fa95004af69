-- When a trace ran, in nanoseconds: whole seconds that hold the starts of all its spans. No row when it is not known.
SELECT
    toInt64(toUnixTimestamp(min(Start))) * 1000000000 AS start,
    (toInt64(toUnixTimestamp(max(End))) + 1) * 1000000000 AS end
FROM otel_traces_trace_id_ts
WHERE Tenant = {tenant:String} AND TraceId = {trace:String}
HAVING count() > 0
