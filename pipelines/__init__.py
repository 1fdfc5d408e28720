"""Second floor: jobs that read files, call the floors below, and write files."""
