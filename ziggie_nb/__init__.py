"""The library behind the Ziggie AWS foundation notebooks: it plans, applies, verifies and reports.

Importing this package imports nothing heavy, so that ``ziggie --help`` and the modules that
applications use at run time stay quick.
"""

__version__ = "0.1.0"
