"""From a plan to replies: what is asked, by how many workers, within which budget."""
