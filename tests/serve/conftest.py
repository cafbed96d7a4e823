"""What tests of the server share: a service without a model."""

import pytest
from stub import Stub


@pytest.fixture
def stub() -> Stub:
    return Stub()
