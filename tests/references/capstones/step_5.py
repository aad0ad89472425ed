"""Drawn inputs of step 5, fine-tuning, and plain formulas of what is right."""
