"""The machinery of the course's labs: data, models, measurements, tests, command line. Nobody edits it to solve one."""
