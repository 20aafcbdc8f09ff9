"""Code for readers uses public names only."""

from __future__ import annotations

import ast

import bayesmix as bmx


def check_public(node: ast.AST) -> None:
    """Names of bayesmix, and of its figures, are those that it gives away; nothing begins with an underscore."""
    if not isinstance(node, ast.Attribute):
        return
    assert not node.attr.startswith("_")
    if isinstance(node.value, ast.Name) and node.value.id == "bmx":
        assert node.attr in bmx.__all__
    if ast.unparse(node.value) == "bmx.plots":
        assert node.attr in bmx.plots.__all__
