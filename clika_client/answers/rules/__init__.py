"""Reading a reply as a choice: normalise, tokenise with word tables, then a ladder of rules."""
