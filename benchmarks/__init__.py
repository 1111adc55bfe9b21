"""Measurements. Each prints machine and versions, medians and spreads, and a floor that was measured in the same run."""
