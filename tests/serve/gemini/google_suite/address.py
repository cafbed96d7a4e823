"""A pytest plugin for Google's tests: what their client sends to Google goes to the server whose address is in ``POLLUX_URL``."""

from __future__ import annotations

import os
import re

from google.genai import _api_client

_GOOGLE = re.compile(r"^https://(autopush-)?generativelanguage(\.sandbox)?\.googleapis\.com")


def pytest_configure(config) -> None:
    built = _api_client.BaseApiClient._build_request

    def here(self, *args, **kwargs):
        request = built(self, *args, **kwargs)
        request.url = _GOOGLE.sub(os.environ["POLLUX_URL"], request.url)
        return request

    _api_client.BaseApiClient._build_request = here
