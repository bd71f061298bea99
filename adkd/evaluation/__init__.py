"""Measurements on a finished model: scores, explanations, latency."""
