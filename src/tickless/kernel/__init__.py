"""The event kernel. `README.md` beside this file is its map."""
