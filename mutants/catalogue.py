"""The rules that are broken."""

from __future__ import annotations

from mutants import of_files, of_tasks

MUTANTS = (*of_files.MUTANTS, *of_tasks.MUTANTS)
