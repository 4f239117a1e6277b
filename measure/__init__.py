"""What measures: recipes over seeds, the time that training takes, and a network against the assignment."""
