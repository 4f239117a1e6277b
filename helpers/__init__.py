"""The lesson: `data -> model -> train -> plot`, one module per step, and `backprop` for Part 1.

Three rooms hold what a reader comes for by itself: `own_digit`, `own_network`, and `beyond` (records and variants).
"""
