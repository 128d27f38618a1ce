"""A second, simple statement of the rules, made from the specification alone."""
