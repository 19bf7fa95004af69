-- The 95th percentile of what histograms observed, minute by minute: between the bounds of a bucket linearly, as PromQL's
-- histogram_quantile has it, in exponential ones by their scale. Minutes with few observations have none; series that
-- cannot be notable for correlate/rules/metric_shift.py stay here. A histogram that falls was reset: what it holds was
-- observed since. 'skip' names metrics that are no measures, 'judged_from' is the first moment of interest, 'shard' of
-- 'shards' parts the series by their hash.
WITH 0.95 AS share, 40 AS least_observed,
-- What was counted by the end of each minute, or in it where deltas come.
counted AS
(
    SELECT SeriesHash AS series, toStartOfMinute(TimeUnix) AS minute, max(TimeUnix) AS last, false AS delta,
        argMax(ExplicitBounds, TimeUnix) AS bounds, CAST(argMax(BucketCounts, TimeUnix), 'Array(Int64)') AS counts
    FROM otel_metrics_histogram
    WHERE Tenant = {tenant:String}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
        AND SeriesHash % {shards:UInt16} = {shard:UInt16} AND NOT match(MetricName, {skip:String})
        AND AggregationTemporality != 1 AND bitAnd(Flags, 1) = 0
        AND notEmpty(ExplicitBounds) AND length(BucketCounts) = length(ExplicitBounds) + 1
    GROUP BY series, minute
    UNION ALL
    -- A delta that was delivered again is one delta.
    SELECT series, minute, max(time), true, argMax(its_bounds, time), CAST(sumForEach(added), 'Array(Int64)')
    FROM
    (
        SELECT SeriesHash AS series, toStartOfMinute(TimeUnix) AS minute, TimeUnix AS time,
            any(ExplicitBounds) AS its_bounds, any(BucketCounts) AS added
        FROM otel_metrics_histogram
        WHERE Tenant = {tenant:String}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
        AND SeriesHash % {shards:UInt16} = {shard:UInt16} AND NOT match(MetricName, {skip:String})
        AND AggregationTemporality = 1 AND bitAnd(Flags, 1) = 0
        AND notEmpty(ExplicitBounds) AND length(BucketCounts) = length(ExplicitBounds) + 1
        GROUP BY series, minute, time
    )
    GROUP BY series, minute
),
-- By index of their bucket, zero before all; of a minute with two scales the last one's count.
counted_exponential AS
(
    SELECT series, minute, max(time) AS last, delta, its_scale AS scale, if(delta, sumMap(indexed), any(indexed)) AS counts
    FROM
    (
        SELECT series, minute, time, delta, its_scale,
            mapFromArrays(
                arrayPushFront(arrayMap(i -> toInt32(held.1 + i - 1), arrayEnumerate(held.2)), -2147483648),
                arrayPushFront(arrayMap(n -> toInt64(n), held.2), toInt64(held.3))) AS indexed
        FROM
        (
            SELECT SeriesHash AS series, toStartOfMinute(TimeUnix) AS minute, max(TimeUnix) AS time, false AS delta,
                argMax(Scale, TimeUnix) AS its_scale, argMax((PositiveOffset, PositiveBucketCounts, ZeroCount), TimeUnix) AS held
            FROM otel_metrics_exponential_histogram
            WHERE Tenant = {tenant:String}
                AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
                AND SeriesHash % {shards:UInt16} = {shard:UInt16} AND NOT match(MetricName, {skip:String})
                AND AggregationTemporality != 1 AND bitAnd(Flags, 1) = 0 AND empty(NegativeBucketCounts)
            GROUP BY series, minute
            UNION ALL
            SELECT SeriesHash AS series, toStartOfMinute(TimeUnix) AS minute, TimeUnix AS time, true,
                any(Scale), any((PositiveOffset, PositiveBucketCounts, ZeroCount))
            FROM otel_metrics_exponential_histogram
            WHERE Tenant = {tenant:String}
                AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
                AND SeriesHash % {shards:UInt16} = {shard:UInt16} AND NOT match(MetricName, {skip:String})
                AND AggregationTemporality = 1 AND bitAnd(Flags, 1) = 0 AND empty(NegativeBucketCounts)
            GROUP BY series, minute, time
        )
    )
    GROUP BY series, minute, delta, its_scale
    ORDER BY last DESC LIMIT 1 BY series, minute
),
-- Places of buckets and what was observed in each since the minute before; no bounds where buckets are exponential.
grown AS
(
    SELECT series, minute, last, 0 AS scale, bounds, arrayEnumerate(counts) AS places, added AS observed
    FROM
    (
        SELECT series, minute, last, bounds, counts, lagInFrame(counts) OVER earlier AS before,
            length(counts) = length(before) AND bounds = lagInFrame(bounds) OVER earlier AS comparable,
            if(delta OR arraySum(counts) < arraySum(before), counts, arrayMap((now, then) -> now - then, counts, if(comparable, before, counts))) AS added
        FROM counted
        WINDOW earlier AS (PARTITION BY series ORDER BY minute)
    )
    UNION ALL
    SELECT series, minute, last, scale, emptyArrayFloat64(), arraySort(mapKeys(added)), arrayMap(place -> added[place], arraySort(mapKeys(added)))
    FROM
    (
        SELECT series, minute, last, scale, lagInFrame(counts) OVER earlier AS before,
            notEmpty(before) AND scale = lagInFrame(scale) OVER earlier AS comparable,
            if(delta OR arraySum(mapValues(counts)) < arraySum(mapValues(before)), counts, mapSubtract(counts, if(comparable, before, counts))) AS added
        FROM counted_exponential
        WINDOW earlier AS (PARTITION BY series ORDER BY minute)
    )
),
placed AS
(
    SELECT series, minute, last, scale, bounds, arrayCumSum(observed) AS until,
        arrayFirstIndex(n -> n >= share * until[-1], until) AS at, places[at] AS place,
        (share * until[-1] - if(at > 1, until[at - 1], 0)) / observed[at] AS within
    FROM grown
    WHERE arraySum(observed) >= least_observed
),
tails AS
(
    SELECT series, minute, last,
        multiIf(
            empty(bounds), if(place = -2147483648, 0, exp2((place + within) / exp2(scale))),
            place > length(bounds), bounds[-1],
            place = 1, least(0, bounds[1]) + within * (bounds[1] - least(0, bounds[1])),
            bounds[place - 1] + within * (bounds[place] - bounds[place - 1])) AS tail
    FROM placed
)
SELECT series, toDateTime64(minute, 9, 'UTC') AS bucket, last AS time, tail AS value
FROM
(
    SELECT *, max(tail) OVER own AS most, min(tail) OVER own AS least, count() OVER own AS minutes, max(minute) OVER own AS latest
    FROM tails
    WHERE isFinite(tail)
    WINDOW own AS (PARTITION BY series)
)
WHERE minutes > 6 AND most > least AND most - least >= 0.2 * abs(least)
    AND latest >= fromUnixTimestamp64Nano({judged_from:Int64})
