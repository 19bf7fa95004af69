-- The retention policy that came last, and when.
SELECT Name AS name, toUnixTimestamp64Milli(At) AS at FROM retention_policies ORDER BY At DESC LIMIT 1
