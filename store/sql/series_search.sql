-- Metric series with points in [start, end], by name and hash, from the ({from_metric}, {from_series}) key on. Empty filters
-- mean "any"; {names} are names of one entity, compared with the values of all labels and resource attributes.
SELECT
    MetricName AS metric, SeriesHash AS series, any(unit) AS unit, any(service) AS service,
    groupUniqArray(kind) AS kinds,
    toJSONString(any(labels)) AS labels, toJSONString(any(resource)) AS resource
FROM
(
    SELECT MetricName, SeriesHash, any(MetricUnit) AS unit, any(ServiceName) AS service, 'gauge' AS kind,
        any(Attributes) AS labels, any(ResourceAttributes) AS resource
    FROM otel_metrics_gauge
    PREWHERE Tenant = {tenant:String}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Nano({end:Int64})
-- if metrics
        AND MetricName IN {metrics:Array(String)}
-- end
-- if pattern
        AND match(MetricName, {pattern:String})
-- end
-- if names
        AND (ServiceName IN {names:Array(String)}
            OR arrayExists(v -> v IN {names:Array(String)}, mapValues(Attributes))
            OR arrayExists(v -> v IN {names:Array(String)}, mapValues(ResourceAttributes)))
-- end
-- if keys
        AND arrayAll((k, v) -> Attributes[k] = v OR ResourceAttributes[k] = v, {keys:Array(String)}, {values:Array(String)})
-- end
    GROUP BY MetricName, SeriesHash
    UNION ALL
    SELECT MetricName, SeriesHash, any(MetricUnit) AS unit, any(ServiceName) AS service, 'sum' AS kind,
        any(Attributes) AS labels, any(ResourceAttributes) AS resource
    FROM otel_metrics_sum
    PREWHERE Tenant = {tenant:String}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Nano({end:Int64})
-- if metrics
        AND MetricName IN {metrics:Array(String)}
-- end
-- if pattern
        AND match(MetricName, {pattern:String})
-- end
-- if names
        AND (ServiceName IN {names:Array(String)}
            OR arrayExists(v -> v IN {names:Array(String)}, mapValues(Attributes))
            OR arrayExists(v -> v IN {names:Array(String)}, mapValues(ResourceAttributes)))
-- end
-- if keys
        AND arrayAll((k, v) -> Attributes[k] = v OR ResourceAttributes[k] = v, {keys:Array(String)}, {values:Array(String)})
-- end
    GROUP BY MetricName, SeriesHash
    UNION ALL
    SELECT MetricName, SeriesHash, any(MetricUnit) AS unit, any(ServiceName) AS service, 'histogram' AS kind,
        any(Attributes) AS labels, any(ResourceAttributes) AS resource
    FROM otel_metrics_histogram
    PREWHERE Tenant = {tenant:String}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Nano({end:Int64})
-- if metrics
        AND MetricName IN {metrics:Array(String)}
-- end
-- if pattern
        AND match(MetricName, {pattern:String})
-- end
-- if names
        AND (ServiceName IN {names:Array(String)}
            OR arrayExists(v -> v IN {names:Array(String)}, mapValues(Attributes))
            OR arrayExists(v -> v IN {names:Array(String)}, mapValues(ResourceAttributes)))
-- end
-- if keys
        AND arrayAll((k, v) -> Attributes[k] = v OR ResourceAttributes[k] = v, {keys:Array(String)}, {values:Array(String)})
-- end
    GROUP BY MetricName, SeriesHash
    UNION ALL
    SELECT MetricName, SeriesHash, any(MetricUnit) AS unit, any(ServiceName) AS service, 'exponential_histogram' AS kind,
        any(Attributes) AS labels, any(ResourceAttributes) AS resource
    FROM otel_metrics_exponential_histogram
    PREWHERE Tenant = {tenant:String}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Nano({end:Int64})
-- if metrics
        AND MetricName IN {metrics:Array(String)}
-- end
-- if pattern
        AND match(MetricName, {pattern:String})
-- end
-- if names
        AND (ServiceName IN {names:Array(String)}
            OR arrayExists(v -> v IN {names:Array(String)}, mapValues(Attributes))
            OR arrayExists(v -> v IN {names:Array(String)}, mapValues(ResourceAttributes)))
-- end
-- if keys
        AND arrayAll((k, v) -> Attributes[k] = v OR ResourceAttributes[k] = v, {keys:Array(String)}, {values:Array(String)})
-- end
    GROUP BY MetricName, SeriesHash
    UNION ALL
    SELECT MetricName, SeriesHash, any(MetricUnit) AS unit, any(ServiceName) AS service, 'summary' AS kind,
        any(Attributes) AS labels, any(ResourceAttributes) AS resource
    FROM otel_metrics_summary
    PREWHERE Tenant = {tenant:String}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Nano({end:Int64})
-- if metrics
        AND MetricName IN {metrics:Array(String)}
-- end
-- if pattern
        AND match(MetricName, {pattern:String})
-- end
-- if names
        AND (ServiceName IN {names:Array(String)}
            OR arrayExists(v -> v IN {names:Array(String)}, mapValues(Attributes))
            OR arrayExists(v -> v IN {names:Array(String)}, mapValues(ResourceAttributes)))
-- end
-- if keys
        AND arrayAll((k, v) -> Attributes[k] = v OR ResourceAttributes[k] = v, {keys:Array(String)}, {values:Array(String)})
-- end
    GROUP BY MetricName, SeriesHash
)
-- if from_metric
WHERE (MetricName, SeriesHash) > ({from_metric:String}, {from_series:UInt64})
-- end
GROUP BY metric, series
ORDER BY metric, series
LIMIT {limit:UInt32}
