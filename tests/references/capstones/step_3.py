"""Drawn inputs of step 3, decoding, and plain formulas of what is right."""
