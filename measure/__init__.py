"""Measurements: trains recipes over seeds, keeps a row for each run, times training."""
