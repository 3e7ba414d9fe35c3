"""Tests of the layer catalogue against torch."""
