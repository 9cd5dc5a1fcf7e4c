"""Deliveries: lanes that send in order, and the recorder that writes down what became of each."""
