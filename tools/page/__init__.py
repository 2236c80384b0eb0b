"""The fleet as a static site: what teams' files say, and what follows from them."""
