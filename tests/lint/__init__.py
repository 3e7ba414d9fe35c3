"""Tests of lint rules."""
