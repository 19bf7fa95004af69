-- Put a table's parts under a storage policy; the policy must have the volumes of the one before.
ALTER TABLE {table:Identifier}${on_cluster} MODIFY SETTING storage_policy = {policy:String}
