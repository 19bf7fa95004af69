-- Whether a tenant has sent histograms: without any, reducing them costs a query's planning for nothing.
SELECT count() > 0 AS known
FROM
(
    SELECT 1
    FROM metric_identities
    WHERE Tenant = {tenant:String} AND Type = 'histogram'
    LIMIT 1
)
