"""What a program imports: a spec and a run with all that can be done with them."""
