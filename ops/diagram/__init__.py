"""A picture of one environment, drawn from its synthesized templates: `make diagram`.

Everything in it is read from the templates: which services there are, what their task roles let them do
with which queue, table and bucket (that is the data flow), and the network that they run in.
"""
