"""What a host has to give, tried for real in a child, and what to do where it does not: `tickless doctor`."""
