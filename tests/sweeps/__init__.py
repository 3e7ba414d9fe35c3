"""Tests of netspec.sweeps."""
