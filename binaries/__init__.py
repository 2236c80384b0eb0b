"""Programs of others, pinned: taken from PATH, downloaded or built, and kept in a cache."""
