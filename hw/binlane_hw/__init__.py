"""Gives NICs to DPDK and takes them back: the library of binlane-hw. One noun in each file."""
