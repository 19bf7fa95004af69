-- Who has a turn: of those whose time has not ended, the one that came first.
SELECT Owner AS owner, toUnixTimestamp64Nano(Claimed) AS claimed
FROM correlation_turns FINAL
WHERE Tenant = {tenant:String} AND Turn = {turn:String} AND Until > now64(3)
ORDER BY Claimed, Owner
LIMIT 1
