-- Parts that were replaced before a time and are still on disk.
SELECT count() AS parts
FROM ${system.parts}
WHERE database = currentDatabase() AND replaceRegexpOne(table, '_local$', '') IN {tables:Array(String)} AND NOT active
    AND remove_time <= fromUnixTimestamp64Milli({before:Int64}, 'UTC')
