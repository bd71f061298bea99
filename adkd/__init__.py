"""Reproducibility benchmark suite for attribution-driven knowledge distillation (Wu et al., ACL 2023)."""
