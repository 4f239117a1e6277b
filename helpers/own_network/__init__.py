"""Your own network (notebook 2, section 11): what any network does, what its layers see, and its scorecard."""
