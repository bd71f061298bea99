"""All that knows an encoder family: building, loading, forward passes, fast operations."""
