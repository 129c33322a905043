"""S3 over the slim client, for what the worker does by the hundred thousand; boto3 makes the other calls."""
