"""Tables, from CSV files and stored predictions alone."""
