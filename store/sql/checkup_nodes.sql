-- Nodes of a cluster that answer, and a hash of which tables each has.
SELECT hostName() AS Host, tcpPort() AS Port, toString(cityHash64(arraySort(groupArray(name)))) AS Tables
FROM clusterAllReplicas({cluster:String}, system.tables)
WHERE database = {database:String}
GROUP BY Host, Port
SETTINGS skip_unavailable_shards = 1
