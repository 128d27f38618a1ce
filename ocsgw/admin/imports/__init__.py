"""Imports from the browser: files on their way in, kept until they are imported, and the work on them."""
