"""Many stacks in one run: which, how many at a time, and one report."""
