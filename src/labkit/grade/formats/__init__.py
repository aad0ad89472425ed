"""Results in the formats of other systems: a module for each, with pure functions from a result to text."""
