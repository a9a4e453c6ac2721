"""Icons as references into one sprite file (图标).

An icon is decoration beside a word: it is hidden from screen readers, the word carries the meaning.
"""

from __future__ import annotations

from html import escape

#: Address of the sprite below the static root.
SPRITE = "icons.svg"


def icon_markup(name: str, sprite_url: str, extra_class: str = "") -> str:
    """Return the ``<svg>`` that shows icon ``name`` of the sprite; the caller marks it safe."""
    css_class = f"icon {extra_class}".strip()
    return (
        f'<svg class="{escape(css_class)}" aria-hidden="true" focusable="false">'
        f'<use href="{escape(sprite_url)}#{escape(name)}"></use></svg>'
    )
