"""clika_client: does a language model know the same things in every language?"""
