"""Exit codes of binlane-hw. hw/README.md has the same table."""

DONE = 0
FAILED = 1  # a command failed; what was done is undone again
USAGE = 2
REFUSED = 3  # nothing was changed
DOWN = 4  # status: nothing is given to DPDK
DIFFERENT = 5  # status: something is not as `up` set it
