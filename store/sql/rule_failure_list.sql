-- Rules that raised, newest first: what they would have found in these windows is missing.
SELECT Rule AS rule, toUnixTimestamp64Nano(WindowStart) AS start, toUnixTimestamp64Nano(WindowEnd) AS end, Error AS error,
    toUnixTimestamp64Milli(At) * 1000000 AS at
FROM rule_failures FINAL
WHERE Tenant = {tenant:String}
ORDER BY At DESC, Rule
LIMIT {limit:UInt32}
