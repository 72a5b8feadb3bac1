"""A model's or a person's word on stored replies to open questions, beside the deterministic reading."""
