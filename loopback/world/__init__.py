"""What the embedded Discord knows: guilds, channels, members, messages, interactions, scripted users."""
