-- Settings of the server's that make the system slower or less sure than it need be, and what to do about each.
SELECT name AS Name, value AS Value, 'raise it: a batch of spans of many days is refused below 100' AS Advice
FROM system.settings
WHERE name = 'max_partitions_per_insert_block' AND toUInt64(value) BETWEEN 1 AND 99
UNION ALL
SELECT name, value, 'remove the limit from the profile of the user who writes: receivers and workers need connections'
FROM system.settings
WHERE name = 'max_concurrent_queries_for_user' AND toUInt64(value) BETWEEN 1 AND 31
UNION ALL
SELECT name, value, 'clear it: rows that it hides are telemetry that is missing'
FROM system.settings
WHERE name = 'additional_table_filters' AND value NOT IN ('', '{}')
UNION ALL
SELECT name, value, 'set it to 0: answers without a shard look like answers'
FROM system.settings
WHERE name = 'skip_unavailable_shards' AND value = '1'
UNION ALL
SELECT name, value, 'set it to 3000 or more, as servers have it from the start'
FROM system.merge_tree_settings
WHERE name = 'parts_to_throw_insert' AND toUInt64(value) < 1000
