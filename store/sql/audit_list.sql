SELECT
    toUnixTimestamp64Milli(At) AS at,
    Tenant AS tenant,
    Who AS who,
    Scope AS scope,
    Action AS action,
    Object AS object,
    Decision AS decision,
    Status AS status,
    Reason AS reason,
    Address AS address,
    RequestId AS request_id
FROM audit_log
WHERE Tenant = {tenant:String}
    AND At >= fromUnixTimestamp64Milli({start:Int64}) AND At < fromUnixTimestamp64Milli({end:Int64})
-- if who
    AND Who = {who:String}
-- end
-- if decision
    AND Decision = {decision:String}
-- end
-- if before
    AND (toUnixTimestamp64Milli(At), RequestId) < ({before:Int64}, {before_id:String})
-- end
ORDER BY At DESC, RequestId DESC
LIMIT {limit:UInt32}
