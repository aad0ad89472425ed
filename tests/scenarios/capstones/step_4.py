"""Scenarios of step 4 of Lab 07, images: what the suite makes the code under test do."""
