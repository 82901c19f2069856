"""Contracts: rules of manual pages as small C programs, and what a kernel does about each."""
