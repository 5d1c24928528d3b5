"""What vendors say, one package per vendor; found by name, see `README.md` here."""
