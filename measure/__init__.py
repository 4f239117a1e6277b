"""What the figures come from: recipes over seeds, their rows, the time that training takes."""
