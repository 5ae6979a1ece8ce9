"""The command line: the client's operations for people, and the server's for operators.

Invariant: data goes to stdout, progress and errors to stderr; a person never sees a
traceback; a command that does no work imports click and nothing heavier. Commands live in
`commands/`, one noun a file, and are imported when used. Neighbours: `client` for all that
touches a book through its API; `assembly` and `store` only for `up`, `demo` and `db`.
"""
