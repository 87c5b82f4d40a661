"""Processes, ports, folders and waiting: nothing of Binlane, nothing of a server."""
