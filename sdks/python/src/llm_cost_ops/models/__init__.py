"""What the server answers, and what it is asked, as types."""
