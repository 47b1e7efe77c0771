"""What is made from finished runs: tables, panels, training curves."""
