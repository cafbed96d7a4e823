"""Google's own client in a live session. Python's insists on TLS (contract §10): the server has a certificate of its own making,
which the client is told to trust by SSL_CERT_FILE.

    pip install google-genai        any of 2.34, 3.x
    pytest -n 0 -m slow tests/serve/live/test_live_clients.py
"""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from running import running, server_of
from stub import Stub

genai = pytest.importorskip("google.genai")
from google.genai import errors, types  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
TEXT = {"response_modalities": ["TEXT"]}


def certificate(folder: Path) -> tuple[str, str]:
    """A certificate for this machine, signed by itself, and its key: two files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
    signed = builder.add_extension(names, False).add_extension(x509.BasicConstraints(True, None), True).sign(key, hashes.SHA256())
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "cert.pem").write_bytes(signed.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    return str(folder / "cert.pem"), str(folder / "key.pem")


@pytest.fixture
def stub():
    return Stub(pause=0.01)


@pytest.fixture
def url(stub, tmp_path, monkeypatch):
    cert, key = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", cert)
    with running(server_of(tmp_path / "data", stub), cert, key) as url:
        yield url


def client(url: str, key: str = "local", version: str = "v1beta"):
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=url + "/", api_version=version))


def content(text: str):
    return types.Content(role="user", parts=[types.Part(text=text)])


async def heard(session) -> tuple[str, list]:
    messages = [message async for message in session.receive()]
    return "".join(message.text or "" for message in messages), messages


def test_turns(url, stub):
    async def talk():
        config = TEXT | {"system_instruction": "Be brief.", "session_resumption": {}}
        async with client(url).aio.live.connect(model="stub", config=config) as session:
            await session.send_client_content(turns=content("Hello you"), turn_complete=True)
            text, messages = await heard(session)
            assert text == "Hello you" and messages[-1].usage_metadata.response_token_count > 0
            await session.send_realtime_input(text="Typed?")
            assert (await heard(session))[0] == "Typed?"
            handle = next(m.session_resumption_update.new_handle for m in messages if m.session_resumption_update)
        async with client(url).aio.live.connect(model="stub", config=TEXT | {"session_resumption": {"handle": handle}}) as session:
            await session.send_client_content(turns=content("Again?"))
            assert (await heard(session))[0] == "Again?"

    asyncio.run(talk())
    assert stub.asked[0].documents[0].segments[0].text == "Be brief." and stub.asked[-1].turns == (("Hello you", "Hello you"),)


def test_an_interruption(url):
    async def talk():
        async with client(url).aio.live.connect(model="stub", config=TEXT) as session:
            await session.send_client_content(turns=content("word " * 300))
            await asyncio.sleep(0.2)
            await session.send_client_content(turns=content("Again?"))
            _, messages = await heard(session)
            assert any(message.server_content and message.server_content.interrupted for message in messages)
            assert (await heard(session))[0] == "Again?"

    asyncio.run(talk())


class Calling(Stub):
    """Calls a function where it is asked how many; else it answers as ever."""

    def submit(self, ask, listener):
        question = '<call>count {"n":7}' if ask.question == "How many?" else ask.question
        return super().submit(replace(ask, question=question, constraint=None), listener)


@pytest.mark.parametrize("stub", [Calling()], ids=["calling"])
def test_a_function(url):
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    function = {"name": "count", "description": "Counts.", "parameters_json_schema": schema}

    async def talk() -> str:
        config = TEXT | {"tools": [{"function_declarations": [function]}]}
        async with client(url).aio.live.connect(model="stub", config=config) as session:
            await session.send_client_content(turns=content("How many?"))
            text = ""
            async for message in session.receive():
                for call in message.tool_call.function_calls if message.tool_call else ():
                    assert call.args == {"n": 7}
                    response = types.FunctionResponse(id=call.id, name=call.name, response={"result": "seven"})
                    await session.send_tool_response(function_responses=[response])
                text += message.text or ""
            return text

    assert "seven" in asyncio.run(talk())


def test_refusals(url):
    async def talk(key: str, config: dict):
        async with client(url, key, "v1alpha").aio.live.connect(model="stub", config=config) as session:
            await heard(session)

    with pytest.raises(errors.APIError, match="AUDIO") as told:
        asyncio.run(talk("local", {"response_modalities": ["AUDIO"]}))
    assert told.value.code == 1007
    with pytest.raises(errors.APIError) as told:
        asyncio.run(talk("auth_tokens/unknown", TEXT))
    assert told.value.code == 1008


def test_a_token(url, stub):
    alpha = client(url, version="v1alpha")
    fixed = {"model": "stub", "config": {"system_instruction": "Fixed.", **TEXT}}
    token = alpha.auth_tokens.create(config={"uses": 1, "live_connect_constraints": fixed})

    async def talk() -> str:
        async with client(url, token.name, "v1alpha").aio.live.connect(model="stub", config=TEXT) as session:
            await session.send_client_content(turns=content("Hi"))
            return (await heard(session))[0]

    assert asyncio.run(talk()) == "Hi" and stub.asked[-1].documents[0].segments[0].text == "Fixed."
    with pytest.raises(errors.APIError, match="token"):
        asyncio.run(talk())
