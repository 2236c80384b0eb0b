"""`./sre doctor`: compares what a stack needs with what its servers have; it changes nothing."""
