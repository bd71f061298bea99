"""Training of teachers and students, with the only training loop of the suite."""
