"""From results to CSV files."""
