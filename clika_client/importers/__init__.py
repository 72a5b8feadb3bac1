"""Responses that others collected, brought into the database: one module per format."""
