"""The units that sizes are counted in, in bytes."""

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
