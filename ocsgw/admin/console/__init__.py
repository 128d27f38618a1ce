"""The web console: pages made here, that work without JavaScript and are live with it."""
