"""Scenarios of step 3 of Lab 06."""
