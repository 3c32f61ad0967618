"""What every app's API shares: strict bodies and fields, problems, pages by key, requests done once.

It speaks HTTP and knows no app. Who is asking is told by the authenticator that the settings name.
"""
