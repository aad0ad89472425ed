"""Scenarios of step 2 of Lab 07, a training step: what the suite makes the code under test do."""
