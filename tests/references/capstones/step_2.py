"""Drawn inputs of step 2, a training step, and plain formulas of what is right."""
