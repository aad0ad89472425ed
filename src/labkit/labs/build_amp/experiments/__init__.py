"""The experiments of Lab 06; `labkit.experiments` says what a module here offers."""
