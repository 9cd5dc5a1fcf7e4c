"""The store: tables, migrations, and one module of queries for each part of the core.

Queries are plain functions of a SQLAlchemy `Connection`; `Database.run` runs each in one
transaction. Nothing here knows what the rows mean to the relay.
"""
