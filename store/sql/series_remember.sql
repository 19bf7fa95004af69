-- The first series that a tenant has sent since a batch, as many as it may have: it goes on with these.
INSERT INTO series_known (Tenant, Id)
SELECT {tenant:String} AS Owner, cityHash64(Owner, SeriesHash) AS Id
FROM (
    SELECT Tenant, SeriesHash, Batch FROM otel_metrics_gauge WHERE Batch >= {since:UInt64} AND Tenant = {tenant:String}
    UNION ALL
    SELECT Tenant, SeriesHash, Batch FROM otel_metrics_sum WHERE Batch >= {since:UInt64} AND Tenant = {tenant:String}
    UNION ALL
    SELECT Tenant, SeriesHash, Batch FROM otel_metrics_histogram WHERE Batch >= {since:UInt64} AND Tenant = {tenant:String}
    UNION ALL
    SELECT Tenant, SeriesHash, Batch FROM otel_metrics_exponential_histogram WHERE Batch >= {since:UInt64} AND Tenant = {tenant:String}
    UNION ALL
    SELECT Tenant, SeriesHash, Batch FROM otel_metrics_summary WHERE Batch >= {since:UInt64} AND Tenant = {tenant:String}
)
GROUP BY SeriesHash
ORDER BY min(Batch), SeriesHash
LIMIT {most:UInt64}
