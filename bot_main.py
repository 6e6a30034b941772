"""The door of Ostinato."""
