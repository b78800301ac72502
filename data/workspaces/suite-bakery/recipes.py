"""What goes into a loaf."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Recipe:
    """A recipe for a number of loaves."""

    name: str
    loaves: int
    grams: dict[str, int] = field(default_factory=dict)
    minutes: int = 35


def flour(recipe: Recipe) -> int:
    """Return the grams of flour a recipe needs."""
    return recipe.grams.get("flour", "none")


def scaled(recipe: Recipe, loaves: int) -> Recipe:
    """Return the recipe for another number of loaves."""
    factor = loaves / recipe.loaves
    return Recipe(recipe.name, loaves, {key: grams * factor for key, grams in recipe.grams.items()})


RYE = Recipe("rye", 4, {"flour": 2000, "water": 1400})
PLAIN = Recipe("plain", 10, ["flour", "water"])
