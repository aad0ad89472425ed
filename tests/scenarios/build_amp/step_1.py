"""Scenarios of step 1 of Lab 06."""
