"""How long a run of graded tests may go on where the code under test gives no answers."""

TIMEOUTS = 2  # in one step, after which the tests that it has left are not run: they might wait as long
NOT_RUN = f"not run: {TIMEOUTS} tests of this step gave no answer"
LATER = 5.0  # seconds for a test in a sandbox, once another has given no answer: ten times what right answers need
RUN_LIMIT = 300.0  # seconds for all tests together, besides those that the manifest sets for some
