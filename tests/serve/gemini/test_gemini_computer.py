"""The client's browser as functions, and pictures that functions give back."""

import pytest

URL = "/v1beta/models/stub:generateContent"


def asked(client, tools, config=None, **more):
    body = {"contents": [{"parts": [{"text": "Open the harbour's page."}]}], "tools": tools, **more}
    return client.post(URL, json=body | ({"toolConfig": {"functionCallingConfig": config}} if config else {}))


def test_an_action_is_called(client, stub):
    tools = [{"computer_use": {"environment": "ENVIRONMENT_BROWSER"}}]
    answer = asked(client, tools, {"mode": "ANY", "allowedFunctionNames": ["go_back"]}, generationConfig={"maxOutputTokens": 20})
    calls = [part["functionCall"] for part in answer.json()["candidates"][0]["content"]["parts"]]
    assert calls and all(call["name"] == "go_back" and call["args"] == {} for call in calls)
    told = stub.asked[-1].documents[0].segments[0].text
    assert "click_at: Clicks." not in told and "go_back" in told


def test_what_is_excluded_may_be_declared_anew(client, stub):
    own = {"functionDeclarations": [{"name": "click_at", "description": "Knocks."}]}
    browser = {"excludedPredefinedFunctions": ["click_at"], "disabledSafetyPolicies": ["FINANCIAL_TRANSACTIONS"]}
    assert asked(client, [{"computerUse": browser}, own]).status_code == 200
    told = stub.asked[-1].documents[0].segments[0].text
    assert "click_at: Knocks." in told and "hover_at" in told and "click_at: Clicks." not in told


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        ({"environment": "ENVIRONMENT_MOBILE"}, "environment"), ({"enablePromptInjectionDetection": True}, "injected"),
        ({"excludedPredefinedFunctions": ["fly"]}, "fly"), ({"screen": 1}, "Unknown name"),
    ],
)  # fmt: skip
def test_refused(client, tool, words):
    answer = asked(client, [{"computerUse": tool}])
    assert answer.status_code == 400 and words in answer.json()["error"]["message"]


def test_it_cannot_be_declared_twice(client):
    both = [{"computerUse": {}}, {"functionDeclarations": [{"name": "search"}]}]
    assert "declared twice" in asked(client, both).json()["error"]["message"]
