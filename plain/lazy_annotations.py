"""Loads packages without evaluating their annotations, as Python does from 3.14 on (PEP 649)."""

import __future__

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType
from typing import Any


def leave_annotations(*packages: str) -> None:
    """Have modules of `packages` that are loaded later keep their annotations as text.

    Each is compiled as if it began with `from __future__ import annotations` (PEP 563).
    """
    if sys.version_info < (3, 14):
        sys.meta_path.insert(0, _Finder(packages))


class _Finder:
    def __init__(self, packages: Sequence[str]) -> None:
        self._packages = packages

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: Any = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in self._packages:
            return None  # for the next finder
        spec = PathFinder.find_spec(fullname, path, target)
        if spec and spec.origin and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(fullname, spec.origin)
        return spec


class _Loader(SourceFileLoader):
    """Stores bytecode beside Python's own, which other programs read."""

    def source_to_code(self, data: Any, path: Any, *, _optimize: int = -1) -> CodeType:
        flag = __future__.annotations.compiler_flag
        code: CodeType = compile(data, path, "exec", flag, dont_inherit=True, optimize=_optimize)
        return code

    def get_data(self, path: str) -> bytes:
        return super().get_data(_own(path))

    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        super().set_data(_own(path), data, _mode=_mode)


def _own(path: str) -> str:
    """A module's source as it is, and this loader's bytecode in place of Python's."""
    return path.replace(".pyc", ".lazy.pyc")
