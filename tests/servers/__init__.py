"""Servers the tests are run against: our own small one, and those written by others."""
