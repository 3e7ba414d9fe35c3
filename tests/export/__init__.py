"""Tests of what a network is exported to."""
