"""How fast tickless is, in ratios: `python -m benchmarks`, or `make bench`."""
