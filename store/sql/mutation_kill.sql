-- Give up a mutation.
KILL MUTATION WHERE database = currentDatabase() AND replaceRegexpOne(table, '_local$', '') = {table:String} AND mutation_id = {id:String}
