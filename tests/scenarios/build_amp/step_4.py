"""Scenarios of step 4 of Lab 06."""
