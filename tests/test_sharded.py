"""The graded suite of Lab 03; its tests are in `suites/sharded`, a file for each step.

`observe(scenario, ...)` runs a scenario on the code under test; `draw` draws its inputs from the seed. What is expected
is computed from the drawn inputs by plain formulas. Points and reading of every test are in the lab's manifest.
"""

from suites.sharded.step_1 import *  # noqa: F403
from suites.sharded.step_2 import *  # noqa: F403
from suites.sharded.step_3 import *  # noqa: F403
from suites.sharded.step_4 import *  # noqa: F403
from suites.sharded.step_5 import *  # noqa: F403
from suites.sharded.step_6 import *  # noqa: F403
