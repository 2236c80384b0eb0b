"""What the commands of `./sre` do, a room each."""
