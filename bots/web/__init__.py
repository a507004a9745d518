"""paperboy as a page."""
