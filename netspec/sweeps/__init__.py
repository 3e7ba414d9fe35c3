"""Hyperparameter sweeps: one spec trained with many settings, by one process or by several that share a folder."""
