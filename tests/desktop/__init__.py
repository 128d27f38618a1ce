"""Tests of the room of desktops."""
