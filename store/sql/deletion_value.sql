-- What a deletion under way is to delete.
SELECT Value AS value FROM deletion_work WHERE Tenant = {tenant:String} AND DeletionId = {id:String} LIMIT 1
