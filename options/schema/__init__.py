"""Every option, declared once with its type, default and bounds."""
