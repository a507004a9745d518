"""paperboy on Discord."""
