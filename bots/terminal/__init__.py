"""paperboy in a terminal: the command line and its looks."""
