-- Names of all services that sent spans.
SELECT ServiceName AS name
FROM otel_traces
WHERE Tenant = {tenant:String} AND ServiceName != ''
GROUP BY ServiceName
ORDER BY ServiceName
LIMIT {limit:UInt32}
