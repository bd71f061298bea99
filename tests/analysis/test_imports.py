"""What the room imports, libraries included."""

import subprocess
import sys

import pytest

SCRIPT = """
import importlib, pkgutil, sys
from adkd import analysis
for module in pkgutil.walk_packages(analysis.__path__, "adkd.analysis."):
    importlib.import_module(module.name)
    assert "torch" not in sys.modules, module.name
"""


@pytest.mark.workflow
def test_no_module_imports_torch():
    subprocess.run([sys.executable, "-c", SCRIPT], check=True)
