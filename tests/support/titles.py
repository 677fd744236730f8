"""Every title that a Problem is raised with, read off the source."""

import ast

from tests.support.source import Module, calls, modules


def titles() -> dict[str, str]:
    """Title → where it stands. A title is either written where the problem is made, or in a table of that module."""
    found: dict[str, str] = {}
    for module in modules():
        for name, call in calls(module.nodes):
            if name != "Problem":
                continue
            title = call.args[2]
            if isinstance(title, ast.Attribute):
                continue  # another problem's
            if isinstance(title, ast.Constant):
                found[str(title.value)] = module.at(call)
            else:
                assert isinstance(title, ast.Name), f"{module.at(call)}: neither a text nor out of a table"
                table = _table(module)
                assert table, f"{module.at(call)}: no table with titles in this module"
                found |= dict.fromkeys(table, module.at(call))
    return found


def _table(module: Module) -> list[str]:
    """The titles of the module's pairs of (problem type, title)."""
    pairs = [node.elts for node in module.nodes if isinstance(node, ast.Tuple) and len(node.elts) == 2]
    return [
        title.value
        for _, title in pairs
        if isinstance(title, ast.Constant) and isinstance(title.value, str) and title.value.endswith(".")
    ]
