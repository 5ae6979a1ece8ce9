"""The commands, one noun a file. Each is imported when it is used, by the table in `main`."""
