"""REST v10 of the embedded Discord: a table of routes, a file a resource."""
