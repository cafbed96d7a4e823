"""Actions in a web browser that the client carries out: the tool ``computerUse`` is the declarations of these functions.

Names and arguments are those of Google's tool, so that clients that carry them out for Gemini do so for any model here. Places are
given on a grid of 1,000 by 1,000, whatever the size of the screen.
"""

from __future__ import annotations

from pollux.serve.errors import ApiError

_GRID = {"type": "integer", "minimum": 0, "maximum": 999}
_PLACE = {"y": _GRID, "x": _GRID}
_WAY = {"type": "string", "enum": ["up", "down", "left", "right"]}
_YES = {"type": "boolean", "description": "true where it is left out"}

# Name: what it does, its arguments, and those that may be left out.
_ACTIONS: dict[str, tuple[str, dict, dict]] = {
    "open_web_browser": ("Opens the browser.", {}, {}),
    "wait_5_seconds": ("Waits while a page loads.", {}, {}),
    "go_back": ("Goes to the page before.", {}, {}),
    "go_forward": ("Goes to the page after.", {}, {}),
    "search": ("Opens a search engine.", {}, {}),
    "navigate": ("Opens an address.", {"url": {"type": "string"}}, {}),
    "click_at": ("Clicks.", _PLACE, {}),
    "hover_at": ("Moves the pointer there.", _PLACE, {}),
    "type_text_at": ("Types a text.", {**_PLACE, "text": {"type": "string"}}, {"press_enter": _YES, "clear_before_typing": _YES}),
    "key_combination": ("Presses keys.", {"keys": {"type": "string", "description": "such as control+c"}}, {}),
    "scroll_document": ("Scrolls the page.", {"direction": _WAY}, {}),
    "scroll_at": ("Scrolls what is there.", {**_PLACE, "direction": _WAY}, {"magnitude": _GRID}),
    "drag_and_drop": ("Drags what is there.", {**_PLACE, "destination_y": _GRID, "destination_x": _GRID}, {}),
}  # fmt: skip
_BROWSERS = (None, "ENVIRONMENT_UNSPECIFIED", "ENVIRONMENT_BROWSER")


def actions(tool: dict, where: str) -> list[dict]:
    """The declarations of a ``computerUse``, those that it excludes left out.

    Its ``disabledSafetyPolicies`` make no difference, as nothing here judges what is safe.

    Raises:
        ApiError: 400 for what cannot be: other environments than a browser, and looking for injected prompts.
    """
    if tool.get("environment") not in _BROWSERS:
        raise ApiError(400, f"{where}.environment: only ENVIRONMENT_BROWSER is known here, not {tool['environment'][:60]!r}.")
    if tool.get("enablePromptInjectionDetection"):
        raise ApiError(400, f"{where}.enablePromptInjectionDetection: no model here looks for injected prompts. Leave it out.")
    excluded = tool.get("excludedPredefinedFunctions", [])
    if unknown := [name for name in excluded if name not in _ACTIONS]:
        told = f"there is no {unknown[0][:60]!r}. There are {', '.join(_ACTIONS)}."
        raise ApiError(400, f"{where}.excludedPredefinedFunctions: {told}")
    return [_declared(name, *action) for name, action in _ACTIONS.items() if name not in excluded]


def _declared(name: str, description: str, needed: dict, more: dict) -> dict:
    schema = {"type": "object", "properties": {**needed, **more}, "required": list(needed)}
    return {"name": name, "description": description, "parametersJsonSchema": schema}
