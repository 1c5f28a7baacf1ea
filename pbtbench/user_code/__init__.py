"""What users bring as code: how it is found, imported, held off, digested, and what its tracebacks say."""
