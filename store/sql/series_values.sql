-- Values of series, one for each step of {step} nanoseconds that has any: mean, least, greatest and last, at the step's
-- start. A histogram's or summary's value is the mean of what it counted: its sum by its count, as sent. Which series
-- is told by kind ({gauge}, {sum} and so on), and only tables of kinds that are told are opened.
SELECT
    SeriesHash AS series,
    intDiv(toUnixTimestamp64Nano(TimeUnix), {step:Int64}) * {step:Int64} AS time,
    avg(value) AS mean, min(value) AS least, max(value) AS greatest, argMax(value, TimeUnix) AS last
FROM
(
-- if gauge
    SELECT SeriesHash, TimeUnix, Value AS value
    FROM otel_metrics_gauge
    WHERE Tenant = {tenant:String} AND MetricName IN {metrics:Array(String)} AND SeriesHash IN {gauge:Array(UInt64)}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Nano({end:Int64})
        AND bitAnd(Flags, 1) = 0 AND isFinite(Value)
    UNION ALL
-- end
-- if sum
    SELECT SeriesHash, TimeUnix, Value AS value
    FROM otel_metrics_sum
    WHERE Tenant = {tenant:String} AND MetricName IN {metrics:Array(String)} AND SeriesHash IN {sum:Array(UInt64)}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Nano({end:Int64})
        AND bitAnd(Flags, 1) = 0 AND isFinite(Value)
    UNION ALL
-- end
-- if histogram
    SELECT SeriesHash, TimeUnix, Sum / if(Count > 0, Count, FloatCount) AS value
    FROM otel_metrics_histogram
    WHERE Tenant = {tenant:String} AND MetricName IN {metrics:Array(String)} AND SeriesHash IN {histogram:Array(UInt64)}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Nano({end:Int64})
        AND bitAnd(Flags, 1) = 0 AND isFinite(Sum) AND (Count > 0 OR FloatCount > 0)
    UNION ALL
-- end
-- if exponential_histogram
    SELECT SeriesHash, TimeUnix, Sum / if(Count > 0, Count, FloatCount) AS value
    FROM otel_metrics_exponential_histogram
    WHERE Tenant = {tenant:String} AND MetricName IN {metrics:Array(String)} AND SeriesHash IN {exponential_histogram:Array(UInt64)}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Nano({end:Int64})
        AND bitAnd(Flags, 1) = 0 AND isFinite(Sum) AND (Count > 0 OR FloatCount > 0)
    UNION ALL
-- end
-- if summary
    SELECT SeriesHash, TimeUnix, Sum / Count AS value
    FROM otel_metrics_summary
    WHERE Tenant = {tenant:String} AND MetricName IN {metrics:Array(String)} AND SeriesHash IN {summary:Array(UInt64)}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Nano({end:Int64})
        AND bitAnd(Flags, 1) = 0 AND isFinite(Sum) AND Count > 0
    UNION ALL
-- end
    SELECT toUInt64(0) AS SeriesHash, toDateTime64(0, 9, 'UTC') AS TimeUnix, 0. AS value WHERE false
)
GROUP BY series, time
ORDER BY series, time
