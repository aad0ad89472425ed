"""Scenarios of step 5 of Lab 06."""
