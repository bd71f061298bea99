"""How a teacher and a student are trained; the only training loop of the suite."""
