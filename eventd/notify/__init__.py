"""Tells people: routes name the channels, the outbox keeps what is to be told, one worker per channel delivers it.

A new kind of channel is one new module that exports ``NOTIFIER``.
"""
