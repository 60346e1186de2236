"""What people and programs read: failure texts, the summary table, `results.json`."""
