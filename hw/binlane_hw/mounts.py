"""The file system in which DPDK creates the files of huge pages, owned by binlaned's group.

Debian's own mount at /dev/hugepages is root's and may serve others. Its owner is not changed.
"""

HUGEPAGES = "/dev/hugepages_binlane"


def mounted(machine, point=HUGEPAGES):
    """Whether a hugetlbfs is there."""
    for line in machine.read("/proc/mounts").splitlines():
        words = line.split()
        if len(words) > 2 and words[1] == point and words[2] == "hugetlbfs":
            return True
    return False
