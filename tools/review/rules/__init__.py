"""Rules that tell a weakening change from an ordinary one; a room for each concern."""
