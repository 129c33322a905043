"""The proxy between the services and the local AWS: it checks what moto does not, and breaks calls."""
