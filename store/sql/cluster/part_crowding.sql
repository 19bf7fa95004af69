-- The most active parts of any partition on any node, as a share of the number at which the engine refuses inserts.
SELECT max(Parts) / (SELECT toUInt64(value) FROM system.merge_tree_settings WHERE name = 'parts_to_throw_insert') AS Share
FROM
(
    SELECT count() AS Parts
    FROM clusterAllReplicas({cluster:String}, system.parts)
    WHERE database = {database:String} AND active
    GROUP BY hostName(), tcpPort(), table, partition_id
)
