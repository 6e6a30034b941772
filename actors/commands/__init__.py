"""Part of Ostinato."""
