-- The engine's time in milliseconds since the epoch: the one clock that all processes share.
SELECT toUnixTimestamp64Milli(now64(3)) AS now
