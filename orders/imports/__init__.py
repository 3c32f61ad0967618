"""Order files of other systems, read row by row and turned into orders' own facts.

`records` is the common ground: what any format may find in a file. One package per format reads
its files without touching the database; `store` alone writes.
"""
