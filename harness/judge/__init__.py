"""From a history to a verdict per rule. Pure: the same history always gets the same judgement."""
