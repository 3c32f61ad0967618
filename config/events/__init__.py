"""Events as others may rely on them: schemas, the catalogue, what may change, and a golden file of every version.

Nothing here runs in production: it writes and checks files of the repository (docs/adr/0021).
"""
