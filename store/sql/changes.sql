-- changes
-- Deployments, commits and feature-flag changes that arrive as log records, told by attributes of the semantic
-- conventions: https://opentelemetry.io/docs/specs/semconv/registry/attributes/deployment/ , .../vcs/ and
-- .../feature-flag/ . An evaluation of a flag is a request's business and no change.
WITH
    if(EventName != '', EventName, LogAttributes['event.name']) AS event,
    LogAttributes['vcs.ref.head.revision'] AS head
SELECT
    Timestamp AS time,
    multiIf(LogAttributes['feature_flag.key'] != '', 'flag',
        LogAttributes['deployment.id'] != '' OR LogAttributes['deployment.name'] != '', 'deployment', 'commit') AS what,
    if(startsWith(ServiceName, 'unknown_service'), '', ServiceName) AS service,
    coalesce(nullIf(LogAttributes['feature_flag.key'], ''), nullIf(LogAttributes['deployment.id'], ''),
        nullIf(LogAttributes['deployment.name'], ''), head) AS id,
    head AS revision,
    coalesce(nullIf(LogAttributes['service.version'], ''), ResourceAttributes['service.version']) AS version,
    Body AS title,
    -- What was changed, in whatever attributes the sender tells it.
    arrayStringConcat(mapValues(mapFilter((k, v) -> startsWith(k, 'vcs.') AND NOT startsWith(k, 'vcs.ref.'), LogAttributes)), ' ') AS detail
FROM otel_logs
WHERE Tenant = {tenant:String}
    AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) AND Timestamp < fromUnixTimestamp64Nano({end:Int64})
    AND ((LogAttributes['feature_flag.key'] != '' AND match(event, '(?i)change|update|toggle'))
        OR ((LogAttributes['deployment.id'] != '' OR LogAttributes['deployment.name'] != '') AND match(event, '(?i)deploy'))
        OR (head != '' AND match(event, '(?i)^vcs[.]|commit|push|merge')))
