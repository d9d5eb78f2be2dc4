"""The toolkit's version, for what it writes."""

VERSION = "0.1.0"
