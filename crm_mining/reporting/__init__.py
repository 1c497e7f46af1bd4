"""Pages for people: the state of the data, the faults found, ten rows of every mart."""
