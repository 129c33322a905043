"""What the services need of memory in their containers, at the sizes that are meant to be hard."""
