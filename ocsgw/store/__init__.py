"""The store: schema, statements, engines, migrations, and the committer that makes changes durable."""
