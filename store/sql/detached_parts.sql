-- Parts that were broken when the engine opened their table; it set them aside, and their rows are missing.
SELECT table AS TableName, count() AS Parts
FROM system.detached_parts
WHERE database = currentDatabase() AND (startsWith(ifNull(reason, ''), 'broken') OR reason IN ('unexpected', 'noquorum', 'covered-by-broken'))
GROUP BY TableName
ORDER BY TableName
