-- Whole rows of one job's windows in the given state.
SELECT *
FROM correlation_windows FINAL
WHERE Tenant = {tenant:String} AND JobId = {job:String} AND State = {state:String}
ORDER BY WindowStart
