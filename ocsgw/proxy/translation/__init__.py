"""JSON bodies into key-values: character sets, JSON, attributes."""
