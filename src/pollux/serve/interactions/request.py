"""A request for an interaction as one to generateContent: the conversation so far, the tools, how the answer is to be made."""

from __future__ import annotations

from pollux.serve.interactions.steps import contents
from pollux.serve.web.fields import Fields

# The request's fields that the interaction shows again.
_SHOWN = ("system_instruction", "tools", "generation_config", "response_format", "response_mime_type", "labels", "cached_content")
# Fields that ask for what is not there.
_REFUSED = {
    "agent": "there are no agents here: name a model.",
    "agent_config": "there are no agents here.",
    "environment": "there are no environments here.",
    "webhook_config": "there are no webhooks here: get the interaction until it is finished.",
    "continuation_token": "answers are never interrupted here, so that there is no such token.",
}
_MODES = {"auto": "AUTO", "any": "ANY", "none": "NONE", "validated": "VALIDATED"}


def settings(request: Fields) -> dict:
    """What is shown again of a request.

    Raises:
        ApiError: 400 for what this server has not.
    """
    for name, why in _REFUSED.items():
        if request.data.get(name):
            raise request.refuse(name, why)
    if any(each.lower() != "text" for each in request.texts("response_modalities")):
        raise request.refuse("response_modalities", "this model answers with text alone.")
    return {name: request.data[name] for name in _SHOWN if request.data.get(name) is not None}


def body(request: Fields, conversation: list[dict]) -> dict:
    """The request to generateContent.

    Args:
        conversation: All steps, oldest first, those of this request among them.

    Raises:
        ApiError: 400 where a field is malformed.
    """
    config = _config(request.inner("generation_config")) | _form(request)
    system, cached = request.get("system_instruction", str), request.get("cached_content", str)
    out = {"contents": contents(conversation), "generationConfig": config} | _tools(request)
    out |= {"systemInstruction": {"parts": [{"text": system}]}} if system else {}
    return out | ({"cachedContent": cached} if cached else {})


def _config(config: Fields) -> dict:
    """``generationConfig``. How much to think is passed over: the models answer without."""
    seed = config.get("seed", int)
    found = {
        "temperature": config.number("temperature", 0, 2),
        "topP": config.number("top_p", 0, 1),
        "maxOutputTokens": config.number("max_output_tokens", 1, 1 << 31, whole=True),
        "seed": None if seed is None else seed & 0x7FFFFFFF,
        "stopSequences": config.texts("stop_sequences") or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _form(request: Fields) -> dict:
    """``response_format``: one format, a list of them, or, as the API's first clients had it, a bare schema."""
    given = request.get("response_format", dict, list)
    mime = request.get("response_mime_type", str)
    formats = request.each("response_format") if isinstance(given, list) else [request.inner("response_format")] if given else []
    if len(formats) > 1:
        raise request.refuse("response_format", f"one format at a time, got {len(formats)}.")
    if not formats:
        return {"responseMimeType": mime} if mime else {}
    form = formats[0]
    if form.data.get("type") != "text":
        if form.data.get("type") in ("image", "audio", "video"):
            raise form.refuse("type", "this model answers with text alone.")
        return {"responseMimeType": mime or "application/json", "responseJsonSchema": form.data}
    mime, schema = form.get("mime_type", str) or mime, form.get("schema", dict)
    if schema is not None:
        return {"responseMimeType": mime or "application/json", "responseJsonSchema": schema}
    return {"responseMimeType": mime} if mime else {}


def _tools(request: Fields) -> dict:
    declared = []
    for tool in request.each("tools"):
        if (kind := tool.text("type")) != "function":
            raise tool.refuse("type", f"the tool {kind!r} is not there: functions are.")
        one = {"name": tool.text("name"), "description": tool.get("description", str, default="")}
        schema = tool.get("parameters", dict)
        declared.append(one | ({} if schema is None else {"parametersJsonSchema": schema}))
    if not declared:
        return {}
    calling = _choice(request.inner("generation_config"))
    return {"tools": [{"functionDeclarations": declared}], "toolConfig": {"functionCallingConfig": calling}}


def _choice(config: Fields) -> dict:
    """``tool_choice`` as a mode of calling."""
    choice = config.get("tool_choice", str, dict, default="auto")
    if isinstance(choice, str):
        return {"mode": _mode(config, "tool_choice", choice)}
    allowed = config.inner("tool_choice").inner("allowed_tools")
    names = allowed.texts("tools")
    mode = _mode(allowed, "mode", allowed.get("mode", str, default="auto"))
    # Only modes that constrain take names.
    mode = "VALIDATED" if mode == "AUTO" and names else mode
    return {"mode": mode} | ({"allowedFunctionNames": names} if names else {})


def _mode(fields: Fields, field: str, mode: str) -> str:
    if mode.lower() not in _MODES:
        raise fields.refuse(field, f"expected {', '.join(_MODES)}, got {mode!r}.")
    return _MODES[mode.lower()]
