"""Scenarios of step 5 of Lab 07, fine-tuning: what the suite makes the code under test do."""
