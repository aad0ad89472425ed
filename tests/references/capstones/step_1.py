"""Drawn inputs of step 1, sequences, and plain formulas of what is right."""
