"""From a config to the spec of every result. Imports no torch."""
