-- Who reads of a tenant, {tenant:String} say, are done as, and whether they may write.
SELECT currentUser() AS Username, toString(getSetting('readonly')) AS Readonly
