"""Tests of ocsgw.tls."""
