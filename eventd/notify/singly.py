"""The keys of settings tried one by one, where the whole of them cannot be used: so that nobody mends one mistake to be
told of the next."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from eventd.checked import all_of
from eventd.notify.endpoint import check_address, tls_context
from eventd.notify.markup import BARE
from eventd.notify.secrets import read_secret
from eventd.notify.tried import tried_template

#: As everywhere where a configuration is tried: names of files are absolute, or relative to where it is read.
_HERE = Path()
#: Keys that are, or list, addresses; ``urls`` that may stand in a file are Apprise's, which have schemes of their own.
ADDRESSES = ("url", "urls", "api_url", "proxy_url")
TEMPLATES = {"template_file": "message.j2", "digest_template_file": "digest.j2"}


def try_each(settings: Any) -> None:
    """Whatever ``settings`` (all of them, or a draft with the good ones) have of secrets, addresses, an authority's
    file and templates.

    Raises:
        SettingsError: with every fault.
    """
    all_of(*_steps(settings))


def _steps(settings: Any) -> Iterator[Callable[[], object]]:
    for name in dir(settings):
        if name.endswith("_env"):
            yield partial(_secret, settings, name.removesuffix("_env"))
    for name in ADDRESSES:
        if not hasattr(settings, f"{name}_env"):
            given = getattr(settings, name, None) or ()
            yield from (partial(check_address, name, one) for one in ((given,) if isinstance(given, str) else given))
    if getattr(settings, "tls_ca_file", None) is not None and hasattr(settings, "tls_verify"):
        yield partial(tls_context, settings, _HERE)
    for name, own in TEMPLATES.items():
        if (file := getattr(settings, name, None)) is not None:
            yield partial(tried_template, own, file, BARE, _HERE, key=name)


def _secret(settings: Any, name: str) -> None:
    value = read_secret(settings, name, _HERE)
    if name == "url" and value is not None:
        check_address(name, value)
