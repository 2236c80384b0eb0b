"""Every object that the program would create, as files."""
