"""What a listener hears: recorded frames, figures about them, sound, and the judgement of a whole hearing."""
