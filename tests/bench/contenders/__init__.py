"""The programs compared, one module each."""
