"""How signals end a command."""
