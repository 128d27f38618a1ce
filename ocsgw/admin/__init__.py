"""The admin listener: whether OCS lives and serves, and what it counts, for people, monitoring and load balancers."""
