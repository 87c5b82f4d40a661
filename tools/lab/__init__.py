"""The lab: a real source and real replicas with their binlaned, on one machine.

The demo, the system tests and `./dev lab` all stand on this package. It needs /usr/bin/python3 and
Debian's python3-pymysql, and nothing else.
"""
