"""Modules of a checkout of BasicSR, imported without installing it."""

import importlib
import sys
import types
from pathlib import Path


def module(checkout: Path, name: str) -> types.ModuleType:
    """Return `basicsr.<name>` of the checkout.

    Without running the __init__ of its packages, which scan folders and import all.
    """
    if "basicsr" not in sys.modules:
        for package in ("", ".archs", ".losses", ".models", ".utils", ".ops"):
            stub = types.ModuleType("basicsr" + package)
            stub.__path__ = [str(checkout / "basicsr" / package.lstrip("."))]
            sys.modules[stub.__name__] = stub
        sys.modules["basicsr.utils"].get_root_logger = None
        dcn = types.ModuleType("basicsr.ops.dcn")
        dcn.ModulatedDeformConvPack = dcn.modulated_deform_conv = object
        sys.modules["basicsr.ops.dcn"] = dcn
    return importlib.import_module(f"basicsr.{name}")
