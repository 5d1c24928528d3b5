"""``python -m eventd`` is the same as ``eventd``."""

from eventd.cli import main

main()
