"""Questions to a finished model: scores, explanations, latency."""
