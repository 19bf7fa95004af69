-- Minutes of [start, end) with telemetry that came, since 'since', after the last pass that judged them.
-- 'grace' are milliseconds that an insert may take to be seen by who reads.
WITH arrived AS
(
    SELECT minute, max(newest) AS newest FROM
    (
    SELECT toStartOfMinute(Timestamp) AS minute, max(InsertTime) AS newest
    FROM otel_traces
    WHERE Tenant = {tenant:String} AND InsertTime >= fromUnixTimestamp64Milli({since:Int64})
        AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) AND Timestamp < fromUnixTimestamp64Nano({end:Int64})
    GROUP BY minute
    UNION ALL
    SELECT toStartOfMinute(Timestamp) AS minute, max(InsertTime) AS newest
    FROM otel_logs
    WHERE Tenant = {tenant:String} AND InsertTime >= fromUnixTimestamp64Milli({since:Int64})
        AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) AND Timestamp < fromUnixTimestamp64Nano({end:Int64})
    GROUP BY minute
    UNION ALL
    SELECT toStartOfMinute(TimeUnix) AS minute, max(InsertTime) AS newest
    FROM otel_metrics_gauge
    WHERE Tenant = {tenant:String} AND InsertTime >= fromUnixTimestamp64Milli({since:Int64})
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
    GROUP BY minute
    UNION ALL
    SELECT toStartOfMinute(TimeUnix) AS minute, max(InsertTime) AS newest
    FROM otel_metrics_sum
    WHERE Tenant = {tenant:String} AND InsertTime >= fromUnixTimestamp64Milli({since:Int64})
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
    GROUP BY minute
    UNION ALL
    SELECT toStartOfMinute(TimeUnix) AS minute, max(InsertTime) AS newest
    FROM otel_metrics_histogram
    WHERE Tenant = {tenant:String} AND InsertTime >= fromUnixTimestamp64Milli({since:Int64})
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
    GROUP BY minute
    UNION ALL
    SELECT toStartOfMinute(TimeUnix) AS minute, max(InsertTime) AS newest
    FROM otel_metrics_exponential_histogram
    WHERE Tenant = {tenant:String} AND InsertTime >= fromUnixTimestamp64Milli({since:Int64})
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
    GROUP BY minute
    UNION ALL
    SELECT toStartOfMinute(TimeUnix) AS minute, max(InsertTime) AS newest
    FROM otel_metrics_summary
    WHERE Tenant = {tenant:String} AND InsertTime >= fromUnixTimestamp64Milli({since:Int64})
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
    GROUP BY minute
    )
    GROUP BY minute
),
judged AS
(
    SELECT arrayJoin(arrayMap(i -> toStartOfMinute(WindowStart) + toIntervalMinute(i),
            range(toUInt32(greatest(0, intDiv(dateDiff('second', toStartOfMinute(WindowStart), WindowEnd), 60)))))) AS minute,
        max(JudgedAt) AS at
    FROM correlation_passes
    WHERE Tenant = {tenant:String} AND WindowEnd > fromUnixTimestamp64Nano({start:Int64})
    GROUP BY minute
)
SELECT toUnixTimestamp(arrived.minute) * 1000000000 AS minute
FROM arrived
LEFT JOIN judged ON arrived.minute = judged.minute
WHERE toUnixTimestamp64Milli(arrived.newest) + {grace:Int64} > toUnixTimestamp64Milli(judged.at)
ORDER BY minute
