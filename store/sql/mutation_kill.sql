-- Give up a mutation.
KILL MUTATION${on_cluster} WHERE database = currentDatabase() AND table = {table:String} AND mutation_id = {id:String}
