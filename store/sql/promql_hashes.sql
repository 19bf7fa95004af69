-- Series of some metrics in one of the tables of points that have some in a span of time, by their hashes.
SELECT SeriesHash AS hash
FROM {table:Identifier}
WHERE Tenant = {tenant:String} AND MetricName IN {names:Array(String)}
    AND TimeUnix > fromUnixTimestamp64Milli({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Milli({end:Int64})
GROUP BY hash
LIMIT {limit:UInt64}
