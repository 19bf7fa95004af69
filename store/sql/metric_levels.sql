-- Metric series that may be notable, as one value per minute: gauges as means, counters as rates, histograms as mean
-- observations. What cannot be notable for correlate/rules/metric_shift.py stays here: the limits below are that rule's,
-- or looser. A row that is not 'judged' only says what was asked of its entity. 'requests' and 'successes' name metrics,
-- 'skip' those that are no measures; 'judged_from' is the first moment of interest; 'shard' of 'shards' parts the
-- series by their hash.
WITH reduced AS
(
    -- A point that was delivered again is one point: it must not weigh double in its minute.
    SELECT series, asked, success, arrayReduce(concat('avgResample(', toString(toUInt32(intDiv({start:Int64}, 60000000000) * 60)), ', ', toString(toUInt32(intDiv({end:Int64} + 59999999999, 60000000000) * 60)), ', 60)'), points, ended) AS means, arrayReduce(concat('maxResample(', toString(toUInt32(intDiv({start:Int64}, 60000000000) * 60)), ', ', toString(toUInt32(intDiv({end:Int64} + 59999999999, 60000000000) * 60)), ', 60)'), ended_ms, ended) AS lasts
    FROM
    (
        SELECT series, asked, success, arraySort(times) AS t, arraySort((value, time) -> (time, value), gauges, times) AS v,
            arrayFilter((value, now, next) -> now != next, v, t, arrayPushBack(arrayPopFront(t), -1)) AS points,
            arrayDistinct(t) AS at,
            arrayMap(time -> toUInt32(intDiv(time, 1000)), at) AS ended, arrayMap(time -> toUInt16(time % 60000), at) AS ended_ms
        FROM
        (
            SELECT SeriesHash AS series, max(match(MetricName, {requests:String})) AS asked, max(match(MetricName, {successes:String})) AS success,
                groupArray(toUnixTimestamp64Milli(TimeUnix)) AS times, groupArray(Value) AS gauges
            FROM otel_metrics_gauge
            WHERE Tenant = {tenant:String}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
        AND SeriesHash % {shards:UInt16} = {shard:UInt16} AND NOT match(MetricName, {skip:String})
                AND isFinite(Value) AND bitAnd(Flags, 1) = 0
            GROUP BY series
        )
    )
    UNION ALL
    -- A counter that falls was reset: the new value is what has been counted since.
    SELECT series, asked, success, arrayReduce(concat('avgResample(', toString(toUInt32(intDiv({start:Int64}, 60000000000) * 60)), ', ', toString(toUInt32(intDiv({end:Int64} + 59999999999, 60000000000) * 60)), ', 60)'), rates, ended), arrayReduce(concat('maxResample(', toString(toUInt32(intDiv({start:Int64}, 60000000000) * 60)), ', ', toString(toUInt32(intDiv({end:Int64} + 59999999999, 60000000000) * 60)), ', 60)'), ended_ms, ended)
    FROM
    (
        SELECT series, asked, success, arraySort(times) AS t, arraySort((value, time) -> time, counts, times) AS c,
            arrayMap((now, before) -> (now - before) / 1000, arrayPopFront(t), arrayPopBack(t)) AS seconds,
            arrayMap((now, before, took) -> if(delta OR now < before, now, now - before) / took, arrayPopFront(c), arrayPopBack(c), seconds) AS every_rate,
            arrayFilter((rate, took) -> took > 0, every_rate, seconds) AS rates,
            arrayFilter((time, took) -> took > 0, arrayPopFront(t), seconds) AS at,
            arrayMap(time -> toUInt32(intDiv(time, 1000)), at) AS ended, arrayMap(time -> toUInt16(time % 60000), at) AS ended_ms
        FROM
        (
            SELECT SeriesHash AS series, max(match(MetricName, {requests:String})) AS asked, max(match(MetricName, {successes:String})) AS success, any(AggregationTemporality) = 1 AS delta,
                groupArray(toUnixTimestamp64Milli(TimeUnix)) AS times, groupArray(Value) AS counts
            FROM otel_metrics_sum
            WHERE Tenant = {tenant:String}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
        AND SeriesHash % {shards:UInt16} = {shard:UInt16} AND NOT match(MetricName, {skip:String})
                AND isFinite(Value) AND bitAnd(Flags, 1) = 0
            GROUP BY series
        )
    )
    UNION ALL
    -- The sum of a reset histogram restarts with its count; an interval without observations has no value.
    SELECT series, asked, success, arrayReduce(concat('avgResample(', toString(toUInt32(intDiv({start:Int64}, 60000000000) * 60)), ', ', toString(toUInt32(intDiv({end:Int64} + 59999999999, 60000000000) * 60)), ', 60)'), means, ended), arrayReduce(concat('maxResample(', toString(toUInt32(intDiv({start:Int64}, 60000000000) * 60)), ', ', toString(toUInt32(intDiv({end:Int64} + 59999999999, 60000000000) * 60)), ', 60)'), ended_ms, ended)
    FROM
    (
        SELECT series, asked, success, arraySort(times) AS t,
            arraySort((value, time) -> time, counts, times) AS c, arraySort((value, time) -> time, sums, times) AS s,
            arrayMap((now, before) -> delta OR now < before, c, arrayPushFront(arrayPopBack(c), nan)) AS fresh,
            arrayMap((new, now, before) -> if(new, now, now - before), fresh, c, arrayPushFront(arrayPopBack(c), nan)) AS n,
            arrayMap((new, now, before) -> if(new, now, now - before), fresh, s, arrayPushFront(arrayPopBack(s), nan)) AS total,
            -- Deltas that were delivered again would count twice.
            arrayMap((number, now, before) -> number > 0 AND now != before, n, t, arrayPushFront(arrayPopBack(t), -1)) AS once,
            arrayFilter((mean, new) -> new, arrayMap((sum, number) -> sum / number, total, n), once) AS means,
            arrayFilter((time, new) -> new, t, once) AS at,
            arrayMap(time -> toUInt32(intDiv(time, 1000)), at) AS ended, arrayMap(time -> toUInt16(time % 60000), at) AS ended_ms
        FROM
        (
            SELECT SeriesHash AS series, max(match(MetricName, {requests:String})) AS asked, max(match(MetricName, {successes:String})) AS success, any(AggregationTemporality) = 1 AS delta,
                groupArray(toUnixTimestamp64Milli(TimeUnix)) AS times, groupArray(toFloat64(Count)) AS counts, groupArray(Sum) AS sums
            FROM
            (
                SELECT SeriesHash, MetricName, AggregationTemporality, TimeUnix, Count, Sum
                FROM otel_metrics_histogram
                WHERE Tenant = {tenant:String}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
        AND SeriesHash % {shards:UInt16} = {shard:UInt16} AND NOT match(MetricName, {skip:String})
                    AND isFinite(Sum) AND bitAnd(Flags, 1) = 0
                UNION ALL
                SELECT SeriesHash, MetricName, AggregationTemporality, TimeUnix, Count, Sum
                FROM otel_metrics_exponential_histogram
                WHERE Tenant = {tenant:String}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
        AND SeriesHash % {shards:UInt16} = {shard:UInt16} AND NOT match(MetricName, {skip:String})
                    AND isFinite(Sum) AND bitAnd(Flags, 1) = 0
                UNION ALL
                SELECT SeriesHash, MetricName, 2, TimeUnix, Count, Sum
                FROM otel_metrics_summary
                WHERE Tenant = {tenant:String}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
        AND SeriesHash % {shards:UInt16} = {shard:UInt16} AND NOT match(MetricName, {skip:String})
                    AND isFinite(Sum) AND bitAnd(Flags, 1) = 0
            )
            GROUP BY series
        )
    )
),
held AS
(
    SELECT series, asked, success,
        arrayFilter((bucket, mean) -> isFinite(mean), range(toUInt32(intDiv({start:Int64}, 60000000000) * 60), toUInt32(intDiv({end:Int64} + 59999999999, 60000000000) * 60), 60), means) AS buckets,
        arrayFilter((last, mean) -> isFinite(mean), lasts, means) AS ends,
        arrayFilter(mean -> isFinite(mean), means) AS levels
    FROM reduced
    -- Below these nothing can be a tenth of its own level off.
    WHERE length(levels) > 0 AND (asked OR (length(levels) > 6
        AND arrayMax(levels) > arrayMin(levels)
        AND (success OR arrayMax(levels) - arrayMin(levels) >= 0.2 * arrayMin(arrayMap(level -> abs(level), levels)))))
),
compared AS
(
    -- The rule's paces: how many values are now, how far back the reference ends, how many it needs.
    SELECT series, buckets, ends, levels, asked, success,
        arrayReduce('median', arrayMap((now, before) -> now - before, arrayPopFront(buckets), arrayPopBack(buckets))) AS every_s,
        multiIf(every_s < 90, 3, every_s < 150, 2, 1) AS recent,
        multiIf(every_s < 90, 5, every_s < 150, 3, 2) AS lag,
        multiIf(every_s < 90, 10, every_s < 150, 8, 6) AS needs,
        arrayFilter(i -> i - lag >= needs AND buckets[i] >= intDiv({judged_from:Int64}, 1000000000), arrayEnumerate(buckets)) AS judged_at,
        arrayReduceInRanges('quantileExactInclusive(0.5)', arrayMap(i -> (toInt32(i - recent + 1), toUInt32(recent)), judged_at), levels) AS now,
        -- A third of the reference may be an earlier fault that the rule leaves out: hence not only its median.
        arrayReduceInRanges('quantilesExactInclusive(0.17, 0.33, 0.5, 0.67, 0.83)',
            arrayMap(i -> (toInt32(greatest(1, i - lag - 59)), toUInt32(least(60, i - lag))), judged_at), levels) AS usual
    FROM held
)
SELECT series, fromUnixTimestamp64Nano(toInt64(bucket_s) * 1000000000) AS bucket,
    fromUnixTimestamp64Nano((toInt64(bucket_s) * 1000 + end_ms) * 1000000) AS time, level AS value, judged
FROM
(
    SELECT series, asked, buckets, ends, levels,
        -- Of a share of successes the failing part counts, and that moves by much when the share hardly does.
        (success AND arrayMax(levels) <= 100.1) OR arrayExists((n, q) ->
            abs(n - q[3]) >= 2 * greatest(0.1 * abs(q[3]), if(q[3] = 0, 0.05, 0.01) * abs(n))
            AND greatest(abs(n - q[2]), abs(n - q[4])) >= 4 * greatest(
                if(q[2] > 0 OR q[4] < 0, 0.1 * least(abs(q[2]), abs(q[4])), 0), 0.01 * abs(n),
                least(q[3] - q[1], q[5] - q[3]) / 1.349),
            now, usual) AS judged
    FROM compared
    WHERE judged OR asked
)
ARRAY JOIN buckets AS bucket_s, ends AS end_ms, levels AS level
WHERE judged OR bucket_s >= intDiv({judged_from:Int64}, 1000000000)
