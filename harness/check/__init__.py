"""From subjects and profiles to rows of verdicts: probing, searching, reducing, excusing."""
