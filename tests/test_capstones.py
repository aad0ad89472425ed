"""The graded suite of Lab 07; its tests are in `suites/capstones`, a file for each step.

`observe(scenario, ...)` runs a scenario on the code under test; `draw` draws its inputs from the seed. What is expected
is computed from the drawn inputs by plain formulas. Points and reading of every test are in the lab's manifest.
"""

from suites.capstones.step_1 import *  # noqa: F403
from suites.capstones.step_2 import *  # noqa: F403
from suites.capstones.step_3 import *  # noqa: F403
from suites.capstones.step_4 import *  # noqa: F403
from suites.capstones.step_5 import *  # noqa: F403
