"""Tests of the network that a spec expands to."""
