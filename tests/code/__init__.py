"""Tests of the printed source."""
