"""One deployed environment, read and acted on: what the command line and the page stand on.

Found through what the stacks produced (outputs, task definitions), in an account or on the local platform.
Each module is a room of its own: `jobs`, `queues`, `dlq`, `manifests`, `verification`, `circuits`, `history`,
`throughput`; `documents` is the words in which they answer, `refusals` the errors, which are for people.
"""
