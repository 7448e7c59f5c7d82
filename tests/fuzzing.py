"""How many examples a fuzzed test tries: a few in the tests, MGCONV_FUZZ many by `make fuzz`."""

import os

from hypothesis import HealthCheck, settings

fuzzed = settings(
    max_examples=int(os.environ.get("MGCONV_FUZZ", 60)),
    deadline=None,
    derandomize="MGCONV_FUZZ" not in os.environ,  # CI sees the same inputs every time
    suppress_health_check=list(HealthCheck),
    database=None,
)
