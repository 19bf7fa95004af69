"""Who may do what: keys, people, scopes, the guard before the API, and the audit log."""
