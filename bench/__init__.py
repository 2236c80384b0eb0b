"""What the platform costs as teams are added: `make bench`."""
