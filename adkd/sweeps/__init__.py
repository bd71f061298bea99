"""Hyper-parameter search with equal, counted budgets."""
