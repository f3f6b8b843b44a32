"""Launching, finding and ending GPU instances, and what they cost: for the proof and for ``ziggie gpu``."""
