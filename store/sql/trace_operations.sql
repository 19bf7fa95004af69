-- Names and kinds of a service's spans; an empty kind means any.
SELECT SpanName AS name, SpanKind AS kind
FROM otel_traces
WHERE Tenant = {tenant:String} AND ServiceName = {service:String} AND ({kind:String} = '' OR SpanKind = {kind:String})
GROUP BY SpanName, SpanKind
ORDER BY SpanName, SpanKind
LIMIT {limit:UInt32}
