"""The experiments of Lab 03; `labkit.experiments` says what a module here offers."""
