"""The graded suite of Lab 02; its tests are in `suites/data_parallel`, a file for each step.

`observe(scenario, ...)` runs a scenario on the code under test, on several ranks where the test says so; `draw` draws
its inputs from the seed. What is expected is computed from the drawn inputs by plain formulas. Points and reading of
every test are in the lab's manifest.
"""

from suites.data_parallel.step_1 import *  # noqa: F403
from suites.data_parallel.step_2 import *  # noqa: F403
from suites.data_parallel.step_3 import *  # noqa: F403
from suites.data_parallel.step_4 import *  # noqa: F403
from suites.data_parallel.step_5 import *  # noqa: F403
