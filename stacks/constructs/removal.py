"""The fate of data whose resource leaves the stack."""

import aws_cdk as cdk


def data_removal(*, protected: bool) -> cdk.RemovalPolicy:
    """Kept where it is protected; but not after a first creation that failed.

    The data's resource would be empty, and one with a fixed name would stand in the way of the next try.
    """
    return cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if protected else cdk.RemovalPolicy.DESTROY
