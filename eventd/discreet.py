"""Settings whose ``repr`` shows no secret: it ends up in tracebacks and logs."""

from eventd.checked import Checked

#: Secrets that are not given as ``x``, ``x_file`` or ``x_env``: values that may hold a password, and keys that are one.
HOLD_SECRETS = frozenset(("communities", "headers", "proxy_url", "tokens", "urls"))


class Discreet(Checked, frozen=True):
    """Base of settings. A field that can also be given as ``*_file`` or ``*_env`` is a secret by that."""

    def __repr__(self) -> str:
        names = self.__struct_fields__
        shown = (f"{name}={self._shown(name, f'{name}_env' in names)}" for name in names)
        return f"{type(self).__name__}({', '.join(shown)})"

    def _shown(self, name: str, is_secret: bool) -> str:
        value = getattr(self, name)
        return "***" if value and (is_secret or name in HOLD_SECRETS) else repr(value)
