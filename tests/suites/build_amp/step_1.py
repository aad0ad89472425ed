"""Step 1 of Lab 06."""
