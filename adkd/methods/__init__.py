"""What a distillation method is, how one is found, what several share, and AD-KD itself."""
