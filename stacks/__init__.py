"""The infrastructure of the export processing service, read as the source of truth.

Importing this package chooses the Node.js that the CDK runs on, so it comes before `aws_cdk`.
"""

from stacks.node import use_bundled_node

use_bundled_node()
