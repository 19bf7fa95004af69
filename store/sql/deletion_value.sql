-- What a deletion under way is to delete. Not asked by {tenant}: who reads telemetry must not see it.
SELECT Value AS value FROM deletion_work WHERE Tenant = {owner:String} AND DeletionId = {id:String} LIMIT 1
