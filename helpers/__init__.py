"""The lesson: `data`, `model`, `train`, `recipes` and `plot` for Part 2, `backprop` for Part 1, `exercises` for all.

`checkpoint`, `cores`, `download`, `files` and `progress` support them. Three subpackages are separate: `own_digit`,
`own_network`, and `beyond` (records and variants).
"""
