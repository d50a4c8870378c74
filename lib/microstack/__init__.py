"""The user's command line."""
