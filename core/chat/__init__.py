"""What is asked and what is said, without any platform's form."""
