"""Which AWS calls the services really make, and the permissions that those calls need."""
