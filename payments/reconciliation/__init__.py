"""Our payments and refunds beside the provider's own record: line by line, one case for every difference.

`compare` decides and knows no database; `ours` reads, `cases` writes; `run` leads through a whole comparison.
"""
