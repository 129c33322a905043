"""The plan of a campaign, and the processes and troubles it is made of."""
