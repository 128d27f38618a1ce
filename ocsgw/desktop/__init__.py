"""Desktops and third-party applications that are connected: who they are, and what they learn of (protocol.md 3)."""
