"""Step 5 of Lab 06."""
