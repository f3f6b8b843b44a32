"""Proofs: tasks of the plan that are tried out, once per state, on what the runbook has made."""

from ziggie_nb.proofs.model import PROVED, Proof, ProofRow

__all__ = ["PROVED", "Proof", "ProofRow"]
