"""How long a run of graded tests may go on where the code under test gives no answers."""

from labkit.course.records import NOT_RUN

RUN_LIMIT = 300.0  # seconds for all tests together, besides those that the manifest sets for some

# Where a student waits: after this many tests of one step without an answer, the others of the step are not run.
TIMEOUTS = 2
STEP_NOT_RUN = f"{NOT_RUN}{TIMEOUTS} earlier tests of this step did not finish"

# In a sandbox, where a class waits, and where a function that hangs must not cost the points of others.
LATER = 5.0  # seconds for a test, once another has given no answer: ten times what right answers need
HANGING = 75.0  # seconds that tests without an answer may take together; then no other test is run
REST_NOT_RUN = f"{NOT_RUN}tests that did not finish had taken {HANGING:g} s"
