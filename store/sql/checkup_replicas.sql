-- How each replicated table of each node is.
SELECT hostName() AS Host, table AS TableName, is_readonly AS Readonly, absolute_delay AS Lag,
    active_replicas AS Active, total_replicas AS Total
FROM clusterAllReplicas({cluster:String}, system.replicas)
WHERE database = {database:String}
ORDER BY Host, TableName
SETTINGS skip_unavailable_shards = 1
