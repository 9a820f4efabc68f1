"""Measures: pure functions on picture pairs and masks; pictures in, numbers out."""
