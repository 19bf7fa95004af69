-- Parts that were broken when a node opened their table; it set them aside, and unless a replica has them their rows are missing.
SELECT replaceRegexpOne(table, '_local$', '') AS TableName, count() AS Parts
FROM clusterAllReplicas({cluster:String}, system.detached_parts)
WHERE database = {database:String} AND (startsWith(ifNull(reason, ''), 'broken') OR reason IN ('unexpected', 'noquorum', 'covered-by-broken'))
GROUP BY TableName
ORDER BY TableName
