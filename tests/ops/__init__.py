"""Stateless operations against torch."""
