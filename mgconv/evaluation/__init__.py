"""Measuring what a system can do."""
