-- The most active parts of any partition, as a share of the number at which the engine refuses inserts.
SELECT max(Parts) / (SELECT toUInt64(value) FROM system.merge_tree_settings WHERE name = 'parts_to_throw_insert') AS Share
FROM
(
    SELECT count() AS Parts
    FROM system.parts
    WHERE database = currentDatabase() AND active
    GROUP BY table, partition_id
)
