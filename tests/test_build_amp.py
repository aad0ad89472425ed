"""The graded suite of Lab 06; its tests are in `suites/build_amp`, a file for each step.

`observe(scenario, ...)` runs a scenario on the code under test; `draw` draws its inputs from the seed. What is expected
is computed from the drawn inputs by plain formulas. Points and reading of every test are in the lab's manifest.
"""

from suites.build_amp.step_1 import *  # noqa: F403
from suites.build_amp.step_2 import *  # noqa: F403
from suites.build_amp.step_3 import *  # noqa: F403
from suites.build_amp.step_4 import *  # noqa: F403
from suites.build_amp.step_5 import *  # noqa: F403
