-- One page of incidents that overlap [start, end], newest first, after the (before, before_id) key. Each condition stands
-- here only when something is asked of it (store/sql/__init__.py): the engine takes longer to understand those that
-- hold for everything than to read the page. {types} and {typed} are types and names of entities that all take part.
-- An incident without an end is still going on.
-- if entity
WITH
    lower({entity:String}) AS wanted,
    (
        SELECT groupArray(lower(EntityName)) FROM entities FINAL
        WHERE Tenant = {tenant:String} AND arrayExists(a -> lower(a) = wanted, Aliases)
    ) AS aliased
-- end
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
-- if states
    AND has({states:Array(String)}, State)
-- end
-- if severities
    AND has({severities:Array(String)}, Severity)
-- end
-- if entity
    AND (arrayExists(e -> lower(e) = wanted OR has(aliased, lower(e)), Entities)
        OR arrayExists(
            cause -> arrayExists(a -> lower(a) = wanted, JSONExtract(cause, 'entity', 'aliases', 'Array(String)')),
            JSONExtractArrayRaw(RootCauses)))
-- end
-- if types
    AND arrayAll((t, n) -> arrayExists(
        e -> JSONExtractString(e, 'type') = t AND lower(JSONExtractString(e, 'name')) = lower(n),
        arrayConcat(JSONExtractArrayRaw(Graph, 'nodes'), JSONExtractArrayRaw(BlastRadius))),
        {types:Array(String)}, {typed:Array(String)})
-- end
-- if text
    AND (positionCaseInsensitiveUTF8(Title, {text:String}) > 0
        OR arrayExists(e -> positionCaseInsensitiveUTF8(e, {text:String}) > 0, Entities)
        OR arrayExists(
            cause -> positionCaseInsensitiveUTF8(JSONExtractString(cause, 'explanation'), {text:String}) > 0,
            JSONExtractArrayRaw(RootCauses)))
-- end
-- if before_id
    AND (StartedAt, IncidentId) < (fromUnixTimestamp64Nano({before:Int64}), {before_id:String})
-- end
ORDER BY StartedAt DESC, IncidentId DESC
LIMIT {limit:UInt32}
