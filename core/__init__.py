"""The core: papers flow in, digests flow out; it knows no platform."""
