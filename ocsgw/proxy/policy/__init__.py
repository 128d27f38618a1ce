"""What a request is for, and whether it may be carried out."""
