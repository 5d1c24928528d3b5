"""Templates that were tried out before they are needed."""

from pathlib import Path

from eventd.errors import DeliveryError
from eventd.notify.markup import Markup
from eventd.notify.render import ENGLISH
from eventd.notify.samples import named, samples
from eventd.notify.template import TOO_SLOW, Renderer, own_template
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
    of_digests = key == "digest_template_file"
    given = samples(of_digests=of_digests)
    failed = list[tuple[str, str]]()
    for name, told in given:
        try:
            renderer(told)
        except DeliveryError as error:
            if TOO_SLOW in error.detail:  # and the others will take as long
                raise ValueError(f"{key}: {error.detail} (sample {name!r}; the others were not tried)") from error
            failed.append((name, error.detail))
    if failed:
        name, why = failed[0]
        count = f"it fails on {len(failed)} of {len(given)} samples"
        raise ValueError(f"{key}: {why} (sample {name!r}; {count})")
    if of_digests:
        _try_list(renderer, key)


def _try_list(renderer: Renderer, key: str) -> None:
    """What a digest does not list is told nowhere else."""
    digest, words = named()
    text = renderer(digest)
    if missing := sum(word not in text for word in words):
        raise ValueError(f"{key}: it must list every incident, and of {len(words)} it leaves out {missing}")
