"""Who may do what: API keys, permissions, limits for clients, and the audit log. Pure but for the files it is given."""
