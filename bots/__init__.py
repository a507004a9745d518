"""The platforms paperboy speaks on: one line each in PLATFORMS."""
