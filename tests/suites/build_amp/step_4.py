"""Step 4 of Lab 06."""
