"""The HTTP server: the desk (a page), the read-only API, health and metrics."""
