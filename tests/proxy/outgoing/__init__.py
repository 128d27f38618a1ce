"""Tests of outgoing calls."""
