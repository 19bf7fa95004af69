-- Ids of the newest traces that have a span with all that is asked; empty text, and a longest duration of 0, mean any.
-- A tag may be an attribute of the span, its resource, its scope, one of its events or one of its links, or one of the
-- fields that Jaeger shows as tags.
-- https://www.jaegertracing.io/docs/latest/architecture/apis/
SELECT TraceId AS trace_id
FROM otel_traces
WHERE Tenant = {tenant:String}
    AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) AND Timestamp <= fromUnixTimestamp64Nano({end:Int64})
    AND toStartOfHour(Timestamp) >= toStartOfHour(fromUnixTimestamp64Nano({start:Int64}))
    AND toStartOfHour(Timestamp) <= toStartOfHour(fromUnixTimestamp64Nano({end:Int64}))
-- if service
    AND ServiceName = {service:String}
-- end
-- if operation
    AND SpanName = {operation:String}
-- end
    AND Duration >= {shortest:UInt64}
-- if longest
    AND Duration <= {longest:UInt64}
-- end
    AND TraceId != ''
-- if keys
    AND arrayAll(
        (k, v) -> multiIf(
            k = 'error', if(v = 'true', StatusCode = 'Error', StatusCode != 'Error') OR SpanAttributes['error'] = v,
            k = 'span.kind', lower(SpanKind) = lower(v),
            k = 'otel.status_code', upper(StatusCode) = upper(v),
            k = 'otel.status_description', StatusMessage = v,
            k IN ('otel.scope.name', 'otel.library.name'), ScopeName = v,
            k IN ('otel.scope.version', 'otel.library.version'), ScopeVersion = v,
            (mapContains(SpanAttributes, k) AND SpanAttributes[k] = v)
                OR (mapContains(ResourceAttributes, k) AND ResourceAttributes[k] = v)
                OR (mapContains(ScopeAttributes, k) AND ScopeAttributes[k] = v)
                OR arrayExists(e -> mapContains(e, k) AND e[k] = v, Events.Attributes)
                OR arrayExists(l -> mapContains(l, k) AND l[k] = v, Links.Attributes)),
        {keys:Array(String)}, {values:Array(String)})
-- end
GROUP BY TraceId
ORDER BY max(Timestamp) DESC, TraceId
LIMIT {limit:UInt32}
