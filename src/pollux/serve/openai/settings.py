"""How a completion is to be made, from OpenAI's fields to Google's: ``generationConfig``, ``tools``, ``toolConfig``."""

from __future__ import annotations

from pollux.serve.web.fields import Fields

# Fields that ask for what is not there; each is refused unless it asks for nothing.
_REFUSED = {
    "audio": "there is no sound.",
    "functions": "this is the old form: send tools.",
    "function_call": "this is the old form: send tool_choice.",
    "logit_bias": "tokens cannot be weighed.",
    "web_search_options": "there is no web search: the server may be offline.",
}


def sampling(request: Fields, limit: int | None = None) -> dict:
    """The part of ``generationConfig`` that chat and plain completions share. ``limit``: tokens where none are named."""
    stop = request.texts("stop")
    if len(stop) > 5:
        raise request.refuse("stop", f"at most 5 strings, got {len(stop)}.")
    seed = request.get("seed", int)
    most = _most(request)
    config = {
        "temperature": request.number("temperature", 0, 2),
        "topP": request.number("top_p", 0, 1),
        "maxOutputTokens": limit if most is None else most,
        "presencePenalty": request.number("presence_penalty", -2, 2),
        "frequencyPenalty": request.number("frequency_penalty", -2, 2),
        "candidateCount": request.number("n", 1, 8, whole=True),
        "stopSequences": stop or None,
        "seed": None if seed is None else seed & 0x7FFFFFFF,  # theirs has 64 bits and a sign
    }
    return {name: value for name, value in config.items() if value is not None}


def _most(request: Fields) -> int | None:
    """Tokens of an answer at most. Which of the two names is used depends on the client's age."""
    new = request.number("max_completion_tokens", 1, 1 << 31, whole=True)
    return request.number("max_tokens", 1, 1 << 31, whole=True) if new is None else new


def chat(request: Fields) -> dict:
    """All of a chat request but its messages."""
    for name, why in _REFUSED.items():
        if request.data.get(name):
            raise request.refuse(name, why)
    if any(each != "text" for each in request.texts("modalities")):
        raise request.refuse("modalities", "this model answers with text alone.")
    config = sampling(request) | _form(request) | _probabilities(request)
    cached = request.inner("google").get("cached_content", str) or request.inner("extra_body").inner("google").get(
        "cached_content", str
    )
    return {"generationConfig": config} | _tools(request) | ({"cachedContent": cached} if cached else {})


def _probabilities(request: Fields) -> dict:
    wanted, top = request.flag("logprobs"), request.number("top_logprobs", 0, 20, whole=True)
    if top is not None and not wanted:
        raise request.refuse("top_logprobs", "it needs logprobs to be true.")
    return {"responseLogprobs": True, "logprobs": top or 0} if wanted else {}


def _form(request: Fields) -> dict:
    """``response_format``."""
    form = request.inner("response_format")
    kind = form.get("type", str, default="text")
    if kind == "text":
        return {}
    if kind == "json_object":
        return {"responseMimeType": "application/json"}
    if kind != "json_schema":
        raise form.refuse("type", f"expected text, json_object or json_schema, got {kind!r}.")
    inner = form.inner("json_schema")
    schema = inner.get("schema", dict)
    if schema is None:
        raise inner.refuse("schema", "it is required, a JSON schema.")
    return {"responseMimeType": "application/json", "responseJsonSchema": schema}


def _tools(request: Fields) -> dict:
    """``tools`` and ``tool_choice``. Whether a declaration is strict makes no difference: calls are constrained in any case."""
    declared = []
    for tool in request.each("tools"):
        if (kind := tool.text("type")) != "function":
            raise tool.refuse("type", f"only functions are known, got {kind!r}.")
        function = tool.inner("function")
        one = {"name": function.text("name"), "description": function.get("description", str, default="")}
        schema = function.get("parameters", dict)
        declared.append(one | ({} if schema is None else {"parametersJsonSchema": schema}))
    choice = _choice(request, [one["name"] for one in declared])
    if not declared:
        return {}
    return {"tools": [{"functionDeclarations": declared}], "toolConfig": {"functionCallingConfig": choice}}


def _choice(request: Fields, names: list[str]) -> dict:
    """``tool_choice`` as a mode of calling."""
    choice = request.get("tool_choice", str, dict, default="auto")
    if isinstance(choice, str):
        modes = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
        if choice not in modes:
            raise request.refuse("tool_choice", f"expected auto, none, required or a function, got {choice!r}.")
        if choice == "required" and not names:
            raise request.refuse("tool_choice", "it requires a function, and tools names none.")
        return {"mode": modes[choice]}
    given = request.inner("tool_choice")
    kind = given.text("type")
    if kind == "allowed_tools":
        inner = given.inner("allowed_tools")
        allowed = [tool.inner("function").text("name") for tool in inner.each("tools")]
        mode = "ANY" if inner.get("mode", str, default="auto") == "required" else "VALIDATED"
    elif kind == "function":
        allowed, mode = [given.inner("function").text("name")], "ANY"
    else:
        raise given.refuse("type", f"expected function or allowed_tools, got {kind!r}.")
    for name in allowed:
        if name not in names:
            raise given.refuse("function", f"tools declares no function {name!r}.")
    return {"mode": mode, "allowedFunctionNames": allowed}
