"""Sheets, pages and plots for people to look at."""
