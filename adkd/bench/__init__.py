"""What the suite costs, compared with the published implementation of AD-KD: ``make bench``."""
