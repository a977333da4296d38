"""An extension of griffe: examples in docstrings become blocks of code, headed or not."""

import re

import griffe

EXAMPLE = re.compile(r"(?:^|\n\n)(>>> .*?)(?=\n\n|\Z)", re.DOTALL)


class Doctests(griffe.Extension):
    """Fences paragraphs that begin with a prompt, which Markdown would take for quotations."""

    def on_instance(self, *, obj, **_):
        """Rewrite a docstring."""
        if obj.docstring is not None:
            fenced = EXAMPLE.sub(r"\n\n```pycon\n\1\n```", obj.docstring.value)
            obj.docstring.value = fenced
