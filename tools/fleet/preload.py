"""Loads what every program needs, once: a fork has it without loading it."""

import gc
import importlib
import pkgutil

import components
import specs

# What the SDKs load at their first use, when the program runs.
_AT_FIRST_USE = (
    "encodings.utf_8_sig",
    "grpc._channel",
    "grpc._interceptor",
    "grpc._server",
    "grpc.experimental",
    "pulumi_vault.kubernetes.auth_backend_role",
    "tzdata",
)


def preload() -> None:
    """Load the program's modules and the SDKs. No thread may start: a fork would lack it."""
    for package in (components, specs):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    for name in _AT_FIRST_USE:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
