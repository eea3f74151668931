"""Telling people: letters by SMTP, and the queue in which they wait. Only `bootstrap` chooses them."""
