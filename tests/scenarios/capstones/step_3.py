"""Scenarios of step 3 of Lab 07, decoding: what the suite makes the code under test do."""
