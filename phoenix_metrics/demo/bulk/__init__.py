"""Landing files of any size, written at once instead of being collected: the same team, told by arrays."""
