"""Is the judge any good? Rules of the kernel, broken one at a time: the contracts have to notice each."""
