"""What operators do with lists: import, export, explain."""
