-- Gauges that climbed or fell without pause in the second half of [start, end), or vary more in its last quarter than
-- before: values every two minutes, the last of each, which points that are delivered again do not change. The limits
-- are those of correlate/rules/metric_trend.py, or looser. 'skip' names metrics that are no measures.
WITH sampled AS
(
    SELECT SeriesHash AS series,
        argMaxOrNullResample(toUInt32(intDiv({start:Int64}, 1000000000)), toUInt32(intDiv({end:Int64}, 1000000000)), 120)(
            Value, (TimeUnix, Value), toUnixTimestamp(TimeUnix)) AS every,
        length(every) AS steps,
        arrayFilter((i, value) -> isNotNull(value), arrayEnumerate(every), every) AS at,
        arrayMap(value -> assumeNotNull(value), arrayFilter(value -> isNotNull(value), every)) AS v,
        arrayFilter((value, i) -> i <= steps / 2, v, at) AS old,
        arrayFilter((value, i) -> i > steps / 2, v, at) AS new,
        arrayFilter(i -> i <= steps / 2, at) AS old_at,
        arrayFilter(i -> i > steps / 2, at) AS new_at,
        arrayMap((now, before) -> abs(now - before), arrayPopFront(v), arrayPopBack(v)) AS jumps,
        arrayFilter((jump, i) -> i > 0.75 * steps, jumps, arrayPopFront(at)) AS late,
        arrayFilter((jump, i) -> i <= 0.75 * steps, jumps, arrayPopFront(at)) AS early
    FROM otel_metrics_gauge
    WHERE Tenant = {tenant:String}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
        AND NOT match(MetricName, {skip:String}) AND isFinite(Value) AND bitAnd(Flags, 1) = 0
    GROUP BY series
    HAVING length(old) >= 20 AND length(new) >= 20 AND length(late) >= 10
        AND arrayMax(v) - arrayMin(v) > 0.2 * abs(arrayMin(v))
)
SELECT series,
    arrayReduce('quantileExactInclusive(0.5)', old) AS before,
    arrayReduce('quantileExactInclusive(0.5)', arraySlice(new, -length(late))) AS now,
    tupleElement(arrayReduce('simpleLinearRegression', old_at, old), 1) * steps / 2 AS rose,
    tupleElement(arrayReduce('simpleLinearRegression', new_at, new), 1) * steps / 2 AS rise,
    ifNull(if(isFinite(arrayReduce('corr', new_at, new)), arrayReduce('corr', new_at, new), 0.), 0.) AS steadiness,
    arrayReduce('quantileExactInclusive(0.5)', early) AS usual_jump,
    arrayReduce('quantileExactInclusive(0.5)', late) AS jump
FROM sampled
WHERE abs(steadiness) >= 0.95 OR jump >= 3 * usual_jump
