-- Which engine this is, what time it has, and who asks.
SELECT version() AS Version, toFloat64(toUnixTimestamp64Micro(now64(6))) / 1e6 AS Now, currentUser() AS Username
