"""Scenarios of step 1 of Lab 07, sequences: what the suite makes the code under test do."""
