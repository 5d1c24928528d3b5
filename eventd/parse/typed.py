"""Secrets in the commands that devices log as somebody typed them (CMDRECORD, SHELL_CMD): keys, passwords, communities.

Which words they follow is gathered from the command references of VRP and Comware (`pre-shared-key`, `local-user …
password`, `snmp-agent community`, `snmp-agent usm-user`, `authentication-mode md5`, `sa string-key`, `ospf`, `bgp`,
`radius scheme`). What could be one is hidden: an argument too many costs little, a key that is shown costs the tunnel.
"""

import re

#: Stands for a secret, whatever its length, which would tell something of it.
HIDDEN = "******"
#: Where a command begins in a message: ``Command="…"``, ``Command is …``.
_BEGIN = re.compile(r"\bCommand(?:\s*=\s*|\s+is\s+)[\"']?", re.IGNORECASE)
#: What may follow it: the end of its quotes, its result, the end of the list.
_END = re.compile(r"[\"']?(?:\s*,\s*\w+\s*=\s*[\w\"']*)?\s*\)?[\s.\x00]*$")
#: Words whose arguments are secret; a command may be shortened to what is unambiguous, at least to `MIN_SHORTENED`.
SECRET = (
    "authentication-hex", "authentication-mode", "challenge-word", "cipher", "community", "credential",
    "encryption-hex", "irreversible-cipher", "key", "key-string", "passphrase", "password", "plain", "plaintext",
    "pre-shared-key", "privacy-mode", "psk", "secret", "securityname", "shared-key", "simple", "string-key", "token",
)  # fmt: skip
MIN_SHORTENED = 3
#: Ends of words that have such arguments (`authentication-key`, `super-password`).
ENDINGS = ("-key", "-password", "-secret", "-cipher", "-community", "-passphrase")
#: Words that may stand between those and their secret, and tell how it is written or whom it is for.
BETWEEN = frozenset(
    ("3des", "address", "aes128", "aes192", "aes256", "cipher", "des56", "hmac-md5", "hmac-sha256", "hostname", "ipv6",
     "irreversible-cipher", "key", "local", "md5", "plain", "read", "remote", "sha", "sha2-256", "simple", "write")
)  # fmt: skip
#: Words of those that an address follows, perhaps with a mask.
OF_ADDRESSES = ("address", "ipv6")
#: Arguments of `authentication-mode` that name a method.
METHODS = frozenset(("aaa", "none", "scheme", "password", "pre-share", "rsa-signature", "rsa-sig", "digital-envelope"))
_WORD = re.compile(r"\S+")
_ADDRESS = re.compile(r"[0-9a-f]*[.:][0-9a-f.:]*", re.IGNORECASE)
#: A password in an address to copy from or to: ``ftp://user:password@host``.
_IN_URL = re.compile(r"(://[^\s/:@]*:)[^\s/]+@")


def without_secrets(command: str) -> str:
    """A command line with asterisks from its first secret on."""
    command = _IN_URL.sub(rf"\1{HIDDEN}@", command)
    words = list(_WORD.finditer(command))
    first = next((place for place, word in enumerate(words) if _announces(word[0].casefold())), len(words))
    if first + 1 >= len(words):
        return command
    if len(words) == first + 2 and words[first][0] == "authentication-mode" and words[-1][0].casefold() in METHODS:
        return command
    at, addressed = first + 1, False
    while at + 1 < len(words):
        word = words[at][0].casefold()
        addressed = word in OF_ADDRESSES or (addressed and _ADDRESS.fullmatch(word) is not None)
        if not addressed and word not in BETWEEN:
            break
        at += 1
    return command[: words[at].start()] + HIDDEN


def _announces(word: str) -> bool:
    if word.startswith("public-") or word.endswith("-key-pair"):
        return False
    shortened = len(word) >= MIN_SHORTENED and any(one.startswith(word) for one in SECRET if len(one) > len("secret"))
    return shortened or word in SECRET or word.endswith(ENDINGS)


def concealed(message: str) -> str:
    """A whole message, as text, without the secrets of the command that it holds; any other one as it is."""
    holds = "ommand" in message or "OMMAND" in message  # ten times as fast as the pattern
    begin = _BEGIN.search(message) if holds else None
    if begin is None:
        return message
    end = _END.search(message, begin.end())
    stop = end.start() if end is not None else len(message)
    command = message[begin.end() : stop]
    shown = without_secrets(command)
    return message if shown == command else message[: begin.end()] + shown + message[stop:]
