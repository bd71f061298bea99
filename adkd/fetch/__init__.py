"""The only room that reaches a network: encoders and data files, each checked against its recorded hash."""
