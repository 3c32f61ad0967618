"""The toy steps as a Django app, for workers in processes of their own."""
