"""What really happened in the demo organisation, worked out from its story alone, as plain files."""
