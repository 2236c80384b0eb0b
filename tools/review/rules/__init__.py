"""Rules that distinguish a weakening change from an ordinary one, with a module per concern."""
