"""Beyond the assignment: what the records and the variants of notebook 3 need, and the lesson does not."""
