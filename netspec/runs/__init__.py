"""Whole runs: training into a folder, and what is done with the folder afterwards."""
