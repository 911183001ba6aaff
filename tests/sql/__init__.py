"""Cases and properties of the SQL models."""
