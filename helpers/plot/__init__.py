"""Figures from plain data: histories, tensors, tables. Each shows itself in a notebook, or is saved to a path."""

import helpers.plot.backend  # noqa: F401  # before matplotlib is imported
from helpers.plot.curves import show_bars, show_curves, show_dots, show_histograms, show_panels, show_target
from helpers.plot.diagrams import show_network, show_neurons
from helpers.plot.images import show_confusion, show_images, show_maps, show_numbers, show_table

__all__ = [
    "show_bars",
    "show_confusion",
    "show_curves",
    "show_dots",
    "show_histograms",
    "show_images",
    "show_maps",
    "show_network",
    "show_neurons",
    "show_numbers",
    "show_panels",
    "show_table",
    "show_target",
]
