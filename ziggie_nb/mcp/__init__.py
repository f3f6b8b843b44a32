"""MCP: two servers over stdio, and their entries in a client's ``.mcp.json``.

``install`` edits the file, ``serve`` starts a server, ``s3_server`` and ``secrets_server`` are the tools,
``tools`` is what they share, and ``redaction`` is the one way out for whatever they say.
"""
