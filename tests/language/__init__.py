"""Tests of the words: YAML, rows, expressions and sizes."""
