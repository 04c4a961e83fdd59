"""Measurements: ratios of two things measured alternately in one run. `python -m bench`."""
