"""From a source to a filled arena: plan, then build."""
