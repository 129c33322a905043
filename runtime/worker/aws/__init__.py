"""A slim client for the few AWS calls the worker makes by the hundred thousand; boto3 makes the others."""
