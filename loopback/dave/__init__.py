"""DAVE version 1 on the server's side: MLS external sender and delivery service, and listeners who take part.

The server arranges the key exchange of a channel's members and never learns a key. Sources: Discord's DAVE
whitepaper (daveprotocol.com) for opcodes and order, RFC 9420 for the structures of MLS.
"""
