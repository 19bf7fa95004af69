-- One page of incidents that overlap [start, end], newest first, after the (before, before_id) key.
-- Empty filters and an empty before_id mean "any", and columns that only they need are not read then. {types} and {typed} are types and names of entities that all take part. An incident without an end is still going on.
WITH
    lower({entity:String}) AS wanted,
    (
        SELECT groupArray(lower(EntityName)) FROM entities FINAL
        WHERE Tenant = {tenant:String} AND {entity:String} != '' AND arrayExists(a -> lower(a) = wanted, Aliases)
    ) AS aliased
SELECT
    IncidentId AS id,
    Title AS title,
    State AS state,
    Severity AS severity,
    toUnixTimestamp64Nano(StartedAt) AS started,
    toUnixTimestamp64Nano(EndedAt) AS ended,
    toUnixTimestamp64Nano(UpdatedAt) AS updated,
    Score AS score,
    RootCauses AS root_causes,
    BlastRadius AS blast_radius,
    SignalCount AS signal_count
FROM incidents FINAL
WHERE Tenant = {tenant:String}
    AND StartedAt <= fromUnixTimestamp64Nano({end:Int64})
    AND (EndedAt IS NULL OR EndedAt >= fromUnixTimestamp64Nano({start:Int64}))
    AND (empty({states:Array(String)}) OR has({states:Array(String)}, State))
    AND (empty({severities:Array(String)}) OR has({severities:Array(String)}, Severity))
    AND (wanted = ''
        OR arrayExists(e -> lower(e) = wanted OR has(aliased, lower(e)), Entities)
        OR arrayExists(
            cause -> arrayExists(a -> lower(a) = wanted, JSONExtract(cause, 'entity', 'aliases', 'Array(String)')),
            JSONExtractArrayRaw(RootCauses)))
    AND (empty({types:Array(String)}) OR arrayAll((t, n) -> arrayExists(
        e -> JSONExtractString(e, 'type') = t AND lower(JSONExtractString(e, 'name')) = lower(n),
        arrayConcat(JSONExtractArrayRaw(Graph, 'nodes'), JSONExtractArrayRaw(BlastRadius))),
        {types:Array(String)}, {typed:Array(String)}))
    AND ({text:String} = ''
        OR positionCaseInsensitiveUTF8(Title, {text:String}) > 0
        OR arrayExists(e -> positionCaseInsensitiveUTF8(e, {text:String}) > 0, Entities)
        OR arrayExists(
            cause -> positionCaseInsensitiveUTF8(JSONExtractString(cause, 'explanation'), {text:String}) > 0,
            JSONExtractArrayRaw(RootCauses)))
    AND ({before_id:String} = ''
        OR (StartedAt, IncidentId) < (fromUnixTimestamp64Nano({before:Int64}), {before_id:String}))
ORDER BY StartedAt DESC, IncidentId DESC
LIMIT {limit:UInt32}
