"""Chaos: an embedded Discord, the bot as a process, everything that can go wrong, and listeners who judge."""
