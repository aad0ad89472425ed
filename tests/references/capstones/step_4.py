"""Drawn inputs of step 4, images, and plain formulas of what is right."""
