"""The experiments of Lab 02; `labkit.experiments` says what a module here offers."""
