"""What every room stands on: errors, files, devices, seeds. Knows nothing of the suite and imports no torch."""
