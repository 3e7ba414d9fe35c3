"""Tests of going on with a text."""
