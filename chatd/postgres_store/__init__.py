"""The durable log in PostgreSQL: its tables, how it is opened, written and read.

It stands beside `chatd.store`, which keeps the same log in SQLite, and keeps the same promises. It
needs psycopg, so nothing imports it unless `[state] url` is set.
"""
