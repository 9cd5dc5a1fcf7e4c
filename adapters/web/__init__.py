"""Networks that are spoken to over HTTP and have no API of their own: feeds and webhooks.

What is beside those two folders is for every adapter that fetches or listens over HTTP.
"""
