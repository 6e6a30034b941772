"""The voice half of the embedded Discord: voice gateway v8, UDP, RTP, both encryption modes."""
