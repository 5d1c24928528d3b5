"""What can be found wrong with a configuration only by trying it: handlers, channels, templates, certificates."""

import contextlib
import ssl
from collections.abc import Iterator

from eventd.config import Config
from eventd.errors import ConfigError, Problem
from eventd.notify.session import Session
from eventd.parse.snmp import Access
from eventd.receivers import tls
from eventd.receivers.settings import SyslogTls
from eventd.registry import Registry, load, load_notifiers
from eventd.web.settings import Web


def verify(config: Config) -> Registry:
    """Try everything that can be tried without opening or sending anything; the handlers found.

    Raises:
        ConfigError: with every problem found.
    """
    problems: list[Problem] = []
    handlers: Registry | None = None
    with _noting(problems, "handlers", config):
        handlers = load(config.handlers)
    if config.receivers.syslog_tls is not None:
        with _noting(problems, "receivers.syslog_tls", config):
            tls_context(config.receivers.syslog_tls)
    with _noting(problems, "web", config):
        _try_web_files(config.web)
    with _noting(problems, "receivers.snmp.users", config):
        Access(config.receivers.snmp.communities if config.receivers.snmp else (), config.access_users)
    notifiers, session = load_notifiers(), Session()
    for index, channel in enumerate(config.channels):
        with _noting(problems, f"channels[{index}] ({channel.name})", config):
            notifiers[channel.type].build(channel.name, channel.settings, session)
    if problems or handlers is None:
        raise ConfigError(problems)
    return handlers


@contextlib.contextmanager
def _noting(problems: list[Problem], key: str, config: Config) -> Iterator[None]:
    try:
        yield
    except ConfigError as error:
        problems.extend(error.problems)
    except (ValueError, OSError) as error:
        problems.append(Problem(key, str(error), config.path))


def _try_web_files(settings: Web) -> None:
    if settings.tls_cert_file is not None and settings.tls_key_file is not None:
        tls.make_context(settings.tls_cert_file, settings.tls_key_file)


def tls_context(settings: SyslogTls) -> ssl.SSLContext:
    """The certificate of the TLS receiver as it is on disk now. Raises `ConfigError`."""
    try:
        return tls.make_context(settings.cert_file, settings.key_file, settings.client_ca_file)
    except (OSError, ValueError) as error:
        raise ConfigError([Problem("receivers.syslog_tls", str(error))]) from error
