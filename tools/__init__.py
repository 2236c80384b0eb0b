"""What the commands of `./sre` do, with a room for each."""
