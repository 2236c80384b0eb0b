"""Plain data and text, whatever they are about: comparing two trees, printing a table."""
