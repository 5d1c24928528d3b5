"""What handlers of any vendor share: tables of notifications, catalogues of reasons, typing of values. No vendor."""
