"""What the phases look at before they change anything: the checks among the plan's tasks, a module each."""
