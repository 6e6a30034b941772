"""Gateway v10 of the embedded Discord: connections, sessions, intents."""
