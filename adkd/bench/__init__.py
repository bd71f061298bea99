"""What the suite costs, measured against the published way of doing it: ``make bench``."""
