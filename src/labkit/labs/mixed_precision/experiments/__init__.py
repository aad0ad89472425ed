"""The experiments of Lab 04; `labkit.experiments` says what a module here offers."""
