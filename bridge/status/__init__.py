"""What people in a room are told about deliveries: at which message, in which words, and when.

Knows no Matrix details: whatever is told goes through the port `notifier`.
"""
