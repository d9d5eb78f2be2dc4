"""The toolkit's version, for what it writes."""

VERSION = "1.0.0"
