"""Which record is handed out next."""
