"""Figures, from CSV files and stored results alone."""
