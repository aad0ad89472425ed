"""The experiments of Lab 07; `labkit.experiments` says what a module here offers."""
