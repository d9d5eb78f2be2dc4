"""Videos, as commands see them: flags, names of results, reports, pages."""
