"""Whether it got worse: benchmarks of a study's runs in pytest, and what is compared of them.

`rounds`: a study run a seed a round; `benchmark`: that as the fixture `pbt_benchmark`.
"""

FIXTURE = "pbt_benchmark"
