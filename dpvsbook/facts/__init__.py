"""Facts: one module per tool, pure functions from a tool's text to frozen dataclasses. An unknown line raises ParseError, with the line."""
