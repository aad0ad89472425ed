"""For those who add a lab: its first files, and the check of one lab."""
