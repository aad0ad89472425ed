"""Step 2 of Lab 06."""
