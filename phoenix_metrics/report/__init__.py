"""The digest: what changed, what is worst, what it cost and what is not known of the last whole days."""
