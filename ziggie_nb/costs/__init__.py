"""What the foundation costs and how well the GPU is used: estimated, asked for, and measured.

``estimate`` is pure; ``price_list`` and ``live_prices`` say at which price; ``actual`` and ``budget`` ask AWS
what was spent, ``utilisation`` what the instances did. ``report`` puts them together into dicts of plain
JSON, which notebook, command line and page all show. What is not known is None everywhere, never zero.
"""
