"""Linux's constants, numbers, structs and argument types. Data only."""
