"""What netspec costs beside what it is compared with: each file measures one promise and prints a table."""
