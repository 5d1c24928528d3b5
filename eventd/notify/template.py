"""Layouts: a Jinja template in a sandbox, ours or a user's, that has so much time and in which every value is harmless.

What a value may do depends on what stands beside it: printed letter by letter, or in two halves, a name or an address
is none for whoever escapes the pieces. So values between which the template has no text of its own are escaped as one.
"""

import time
from collections.abc import Iterable
from contextvars import ContextVar
from functools import lru_cache, partial
from importlib import resources
from itertools import groupby

import jinja2
from jinja2 import nodes
from jinja2.sandbox import SandboxedEnvironment

from eventd.errors import DeliveryError, DeliveryFailure
from eventd.model import Digest, Told
from eventd.notify.markdown import address
from eventd.notify.markup import BARE, Markup, Step, clean, cut
from eventd.notify.render import ENGLISH, MAX_HEADLINE, MAX_VALUE, digest_view, view
from eventd.notify.words import Words

#: A result beyond this is no message but a runaway template; channels cut to their own limits below it.
MAX_RENDERED = 100_000
#: Seconds of CPU for one message: our own layouts take hundredths of one, and nothing else is done meanwhile.
MAX_RENDER_S = 2.0
TOO_SLOW = "rendering takes longer than"
#: Templates that are kept compiled: two for each kind of channel, and some of a user's own; compiling one takes longer
#: than fifty messages.
COMPILED = 64


class Marked(str):
    """Text that is escaped already."""

    __slots__ = ()


class Printed(str):
    """A value as a template prints it, not escaped yet."""

    __slots__ = ()

    def __str__(self) -> str:
        return self  # Jinja makes a text of what `finalize` gives, which this has to outlive


class Renderer:
    """One compiled template: for notifications, or for digests."""

    def __init__(self, source: str, markup: Markup = BARE, say: Words = ENGLISH, *, titled: bool = False) -> None:
        """``titled``: the title stands elsewhere. Raises ValueError where ``source`` is not a template."""
        self._say, self._markup = say, markup
        try:
            self._template = _compiled(source, markup, titled)
        except jinja2.TemplateSyntaxError as error:
            raise ValueError(f"template line {error.lineno}: {error.message}") from error

    def __call__(self, told: Told, width: int = MAX_HEADLINE) -> str:
        """The text, at most `MAX_RENDERED` characters. ``width`` bounds the headlines of a digest.

        Raises:
            DeliveryError: ``render``, not retryable; the text names what went wrong.
        """
        _deadline.set(time.thread_time() + MAX_RENDER_S)
        try:
            found = digest_view(told, self._say, width) if isinstance(told, Digest) else view(told, self._say)
            text = self._template.render(found)
            return cut((self._markup(text) if isinstance(text, Printed) else text).strip(), MAX_RENDERED)
        except Exception as error:
            detail = f"{type(error).__name__}: {cut(clean(error), MAX_VALUE)}"
            raise DeliveryError(DeliveryFailure.RENDER, detail, retryable=False) from error


#: By the clock of the thread, so that a busy machine is not to blame.
_deadline: ContextVar[float] = ContextVar("deadline")


def _alone(name: str) -> None:
    raise jinja2.TemplateRuntimeError(f"a layout is one file: {name!r} cannot be included, imported or extended")


def _in_time() -> None:
    if time.thread_time() > _deadline.get():
        raise jinja2.TemplateRuntimeError(f"{TOO_SLOW} {MAX_RENDER_S:g} s")


def _filtered(block: str, result: object, *, given: bool) -> str:
    """What a filter makes of the text of a ``block``: of a value a value, of text that is harmless already as it is,
    unless it was ``given`` values that may be in it now."""
    return Printed(result) if given or isinstance(block, Printed) else Marked(result)


def _keep_values(template: nodes.Template) -> None:
    """Take away what would let a value pass as text: ``{% filter %}`` prints a value where it is given one, and
    ``{% autoescape %}``, which is for HTML, changes nothing."""
    for block in list(template.find_all(nodes.FilterBlock)):
        first, given = block.filter, nodes.Keyword("given", nodes.Const(block.filter.find(nodes.Name) is not None))
        while isinstance(first.node, nodes.Filter):
            first = first.node
        first.node = held = nodes.Name("_filtered", "load")
        result = nodes.Call(nodes.EnvironmentAttribute("filtered"), [held, block.filter], [given], None, None)
        kept = nodes.AssignBlock(nodes.Name("_filtered", "store"), None, block.body)
        block.body = [kept.set_lineno(block.lineno), nodes.Output([result]).set_lineno(block.lineno)]
        block.filter = nodes.Filter(None, "as_it_is", [], [], None, None)
    for scope in template.find_all(nodes.ScopedEvalContextModifier):
        scope.options = []


class _Environment(SandboxedEnvironment):
    """A sandbox that knows what is printed from what the template says by itself, and looks at the clock."""

    in_time, filtered = staticmethod(_in_time), staticmethod(_filtered)

    def __init__(self, markup: Markup, titled: bool) -> None:
        super().__init__(
            loader=jinja2.FunctionLoader(_alone),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,  # HTML rules fit no chat; `concat` escapes every value instead
            # Jinja has no context while it compiles: what is constant is a value like others.
            finalize=jinja2.pass_context(partial(_printed, markup)),
        )
        self._markup = markup
        self.filters["as_it_is"] = lambda text: text
        self.globals.update(
            b=lambda *texts: _bold(markup, "".join(map(str, texts))),
            link=lambda text, url: _link(markup, clean(text), clean(url)),
            bullet=Marked(markup.bullet),
            titled=titled,
        )

    def concat(self, pieces: Iterable[str], /) -> str:
        """The text of the template itself as it is, and what it prints between two pieces of that, escaped. What it
        only prints is a value still, wherever it is printed in turn."""
        runs = groupby(filter(None, pieces), lambda piece: isinstance(piece, Printed))
        found = [(printed, "".join(run)) for printed, run in runs]
        if len(found) == 1 and found[0][0]:
            return Printed(found[0][1])
        return "".join(self._markup(text) if printed else text for printed, text in found)

    def timed(self, source: str) -> nodes.Template:
        """``source``, parsed, with a look at the clock at each turn of a loop and each call of a macro: one that prints
        nothing comes to an end like that, too."""
        template = self.parse(source)
        _keep_values(template)
        template.set_environment(self)
        repeated: list[nodes.For | nodes.Macro] = [*template.find_all(nodes.For), *template.find_all(nodes.Macro)]
        for node in repeated:
            look = nodes.Call(nodes.EnvironmentAttribute("in_time"), [], [], None, None)
            node.body.insert(0, nodes.ExprStmt(look).set_lineno(node.lineno))
        return template


def _printed(markup: Markup, _: jinja2.runtime.Context, value: object) -> str:
    """What a template prints must be there: nobody wants to read "None" at night."""
    _in_time()
    if value is None:
        raise jinja2.TemplateRuntimeError(
            "it prints a value that is None there; write {{ value or '-' }}, or ask first"
        )
    if isinstance(value, Marked):
        return value
    return markup(value) if isinstance(value, Step) else Printed(value)


@lru_cache(COMPILED)
def _compiled(source: str, markup: Markup, titled: bool) -> jinja2.Template:
    environment = _Environment(markup, titled)
    return environment.from_string(environment.timed(source))


def _bold(markup: Markup, text: str) -> str:
    """Where nothing marks it up it is a value like others."""
    before, after = markup.bold
    return Marked(before + markup.escape(clean(text)) + after) if before or after else text


def _link(markup: Markup, text: str, url: str) -> str:
    """A link whose address may hold values, too: within it they call nobody and end nothing. What does not lead to the
    web is a value like others, where it is shown at all."""
    to = address(url)
    return Marked(markup.link(markup.escape(text), markup.escape(url) if to is None else to))


def own_template(name: str) -> str:
    """The text of a template that comes with eventd."""
    return resources.files("eventd.notify").joinpath(name).read_text(encoding="utf-8")
