-- What a deletion found and left, by table: rows before, as first counted in each round, and rows
-- after, as last counted.
SELECT
    TableName AS table_name, sumIf(Found, Round > 0) AS found, sumIf(Remaining, Round = 0) AS remaining
FROM (
    SELECT TableName, PartitionId, Round, argMin(Found, At) AS Found, argMax(Remaining, At) AS Remaining
    FROM deletion_counts
    WHERE Tenant = {tenant:String} AND DeletionId = {id:String}
    GROUP BY TableName, PartitionId, Round
)
GROUP BY table_name
ORDER BY table_name
