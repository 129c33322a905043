"""Sockets and HTTP/1.1 for the bulk path: downloads and uploads share one small transport."""
