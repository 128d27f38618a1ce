"""The version of this product, in one place and free to import."""

VERSION = "0.1.0"
