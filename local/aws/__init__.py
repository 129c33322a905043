"""AWS as far as one machine needs it: moto in a process of its own, taught what the templates ask of it."""
