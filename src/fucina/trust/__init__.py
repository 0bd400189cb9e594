"""Evaluations, dossier, bill of materials, provenance, signatures."""
