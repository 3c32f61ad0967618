"""What providers tell us without being asked: webhooks, stored before they are answered and read afterwards.

A webhook is a doorbell. Whether there is anything new is judged by what it says; what is done about it, by what
the provider says when it is asked. The platform stores, deduplicates, waits and forgets; what a webhook means is
known to the app that registers its source (`sources.py`) and its reader (`reader.py`).
"""
