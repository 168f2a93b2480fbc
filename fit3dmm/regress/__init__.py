"""Learned initialisation: a network that sees points, coefficients and what covers a face."""
