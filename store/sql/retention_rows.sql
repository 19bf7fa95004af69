-- Rows by day and tenant in some days of a table, and how many of them lie in pinned stretches of their tenant.
-- {pinned}, {starts} and {ends} are in step: tenants and half-open ranges in nanoseconds.
SELECT
    _partition_id AS day,
    Tenant AS tenant,
    count() AS rows,
    countIf(arrayExists(
        (t, s, e) -> Tenant = t
            AND toUnixTimestamp64Nano(toDateTime64({first:Identifier}, 9)) < e
            AND toUnixTimestamp64Nano(toDateTime64({last:Identifier}, 9)) >= s,
        {pinned:Array(String)}, {starts:Array(Int64)}, {ends:Array(Int64)})) AS pinned_rows
FROM {table:Identifier}
WHERE _partition_id IN {days:Array(String)}
GROUP BY day, tenant
ORDER BY day, tenant
