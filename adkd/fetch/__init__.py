"""The only room that reaches a network: encoders and files of data, each held to its recorded hash."""
