-- Partitions that a deletion has been through in a round.
SELECT DISTINCT TableName AS table_name, PartitionId AS part
FROM deletion_counts
WHERE Tenant = {tenant:String} AND DeletionId = {id:String} AND Round = {round:UInt8}
