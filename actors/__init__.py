"""The bot: the tree of actors of each guild, and the process-wide rooms that they use.

`app` composes everything. Of a guild: `player` (with `playing` and `deck`), `connection`, `preloader`,
`display`, `persistence`; what they say to each other stands in `messages`. Rooms: `store`, `media`, `voice`,
`discord_client`.
"""
