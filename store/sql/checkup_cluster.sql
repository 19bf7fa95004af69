-- Nodes of a cluster as the server's configuration has them.
SELECT shard_num AS Shard, replica_num AS Replica, host_name AS Host, port AS Port
FROM system.clusters
WHERE cluster = {cluster:String}
ORDER BY Shard, Replica
