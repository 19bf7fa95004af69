-- The answer once given to a request with this key.
SELECT Request AS request, Status AS status, Answer AS answer
FROM idempotent_answers FINAL
WHERE Tenant = {tenant:String} AND Key = {key:String} AND At > now64(3) - INTERVAL 1 DAY
