"""Tests of what shows a network."""
