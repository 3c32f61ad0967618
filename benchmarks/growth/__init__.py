"""What changes when there is more and more in the tables: nothing should."""
