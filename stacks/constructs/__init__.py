"""The parts that stacks are made of: one construct, one idea."""
