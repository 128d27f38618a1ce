"""CSV files as people have them: how they are written, their rows in slices, and what became of each row."""
