"""The operator's command line: one module for each group of commands, thin over `ops.fleet`."""
