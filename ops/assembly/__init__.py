"""The cloud assembly: what `cdk synth` makes of the app, synthesized and read back.

The one reader of it, for the gate, the diagram, the golden templates, the pre-flight check and the local
platform. It knows CloudFormation and nothing of this system.
"""
