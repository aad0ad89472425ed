"""Scenarios of step 2 of Lab 06."""
