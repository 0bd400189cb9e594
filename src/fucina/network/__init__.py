"""The network: accelerators, partitions, sites; facts shipped as dated data."""
