"""HTTP/1.1 on a socket, for bulk bytes: one connection, opening one, and the one pool of idle ones."""
