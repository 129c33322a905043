import pytest

from tests.gate.assemblies import Gate


@pytest.fixture
def gate(tmp_path, capsys):
    return Gate(tmp_path, capsys)
