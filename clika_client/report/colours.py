"""Colours of heat maps in both themes: one hue from pale to deep in steps, each with the ink that is read on it."""

from __future__ import annotations

STEPS = 11
"""From 0 to 1; a value below 0 is the first, above 1 the last."""
_LIGHT = ((247, 251, 255), (158, 202, 225), (8, 48, 107))
_DARK = ((22, 27, 34), (33, 90, 138), (198, 226, 255))
_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)

Colour = tuple[int, int, int]


def step_of(value: float) -> int:
    """Which step shows a value."""
    return min(max(round(value * (STEPS - 1)), 0), STEPS - 1)


def steps(theme: str) -> list[tuple[str, str]]:
    """(background, ink) of each step in the theme `light` or `dark`, as CSS colours."""
    first, middle, last = _LIGHT if theme == "light" else _DARK
    half = (STEPS - 1) / 2
    found = []
    for i in range(STEPS):
        a, b, t = (first, middle, i / half) if i <= half else (middle, last, (i - half) / half)
        back: Colour = tuple(round(x + (y - x) * t) for x, y in zip(a, b, strict=True))  # type: ignore[assignment]
        ink = max((_BLACK, _WHITE), key=lambda colour, back=back: contrast(colour, back))  # type: ignore[misc]
        found.append((_css(back), _css(ink)))
    return found


def contrast(a: Colour, b: Colour) -> float:
    """WCAG 2.2's contrast ratio, from 1 to 21; of black and white one is always above 4.5."""
    bright, dim = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def _luminance(colour: Colour) -> float:
    parts = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def _css(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
