"""Step 3 of Lab 06."""
