"""Statistics over seeds and over examples."""
