-- Parts that the engine set aside: broken ones, mostly. No query and no mutation reaches them.
SELECT count() AS parts
FROM ${system.detached_parts}
WHERE database = currentDatabase() AND replaceRegexpOne(table, '_local$', '') IN {tables:Array(String)}
