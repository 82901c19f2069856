"""Random programs, run by Linux and by tickless: what Linux promises of them must agree. docs/fuzzing.md."""
