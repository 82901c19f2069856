"""Test suites that nobody here wrote, run natively and under tickless: each case must come to the same."""
