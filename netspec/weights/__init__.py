"""Weights in files, as far as their headers tell: what they hold, and how it fits a network. Needs no torch."""
