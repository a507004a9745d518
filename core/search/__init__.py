"""The interests language and the search of the library."""
