"""Templates that were tried out before they are needed."""

from pathlib import Path

from eventd.errors import DeliveryError
from eventd.notify.render import ENGLISH, Markup, Renderer, own_template
from eventd.notify.samples import samples
from eventd.notify.words import Words


def tried_template(
    own: str,
    file: str | None,
    markup: Markup,
    base: Path,
    *,
    key: str = "template_file",
    say: Words = ENGLISH,
    titled: bool = False,
) -> Renderer:
    """The operator's template ``file`` (relative to ``base``) once it rendered every sample, else our ``own``, for
    which our tests do that.

    Raises:
        ValueError: it cannot be read, is no template, or fails on a sample, which is named.
    """
    try:
        source = own_template(own) if file is None else (base / file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{key}: {file} cannot be read: {error}") from error
    if not source.strip():
        raise ValueError(f"{key}: {file} is empty: messages would say nothing")
    try:
        renderer = Renderer(source, markup, say, titled=titled)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error
    if file is not None:
        _try(renderer, key)
    return renderer


def _try(renderer: Renderer, key: str) -> None:
    given = samples(of_digests=key == "digest_template_file")
    failed = list[tuple[str, str]]()
    for name, told in given:
        try:
            renderer(told)
        except DeliveryError as error:
            failed.append((name, error.detail))
    if failed:
        name, why = failed[0]
        count = f"it fails on {len(failed)} of {len(given)} samples"
        raise ValueError(f"{key}: {why} (sample {name!r}; {count})")
