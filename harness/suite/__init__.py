"""The suite that ``pytest harness`` (or ``pytest --pyargs harness``) runs."""
