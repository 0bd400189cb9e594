"""Access modes, applications, eligibility, decisions and grants."""
