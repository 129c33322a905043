"""The deployment, rehearsed with the real tools and the local AWS in AWS's place."""
