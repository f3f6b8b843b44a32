"""What the runbook can build, one module per AWS service, one class per resource."""
