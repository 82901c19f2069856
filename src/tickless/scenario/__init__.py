"""What the outside world does to the program."""
