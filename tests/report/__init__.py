"""The digest: its figures, its words and its formats."""
