-- Give up a mutation, on the nodes that have it.
KILL MUTATION WHERE database = currentDatabase() AND table = concat({table:String}, '_local') AND mutation_id = {id:String}
