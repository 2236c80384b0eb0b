"""`./sre doctor`: what a stack needs from its servers, and what is there; it changes nothing."""
