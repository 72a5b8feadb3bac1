"""Reading open answers: a reply without options, held against the answers that are accepted in each language."""
