"""What a paper is, where it comes from, where it is kept."""
