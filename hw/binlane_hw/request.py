"""What the administrator asks for."""

from dataclasses import dataclass

DEFAULT_GROUP = "binlane"


@dataclass(frozen=True)
class Request:
    nics: tuple = ()  # full PCI addresses
    functions: tuple = ()  # pairs: a physical function's address, and how many virtual ones
    driver: str = "vfio-pci"
    pages: tuple = ()  # pairs: memory node, or None for the first NIC's; and a count
    page_size: str = "2M"
    group: str = DEFAULT_GROUP
    gid: int = 0
    no_iommu: bool = False
    cores: str = ""  # of lanes, for the proposals
