"""The service's source as syntax trees, for the lints."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "backend" / "taesan"


@dataclass(frozen=True)
class Module:
    """:ivar name: dotted, such as `taesan.ledger.posting`. :ivar path: within the package"""

    name: str
    path: Path
    tree: ast.Module

    @property
    def domain(self) -> str:
        """The folder, or the file itself if it lies at the top."""
        return self.path.parts[0].removesuffix(".py")

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """All of the tree, which every lint walks through."""
        return tuple(ast.walk(self.tree))

    def imports(self) -> list[tuple[str, int]]:
        """(module of ours that is imported, line), also inside functions."""
        found = []
        for node in self.nodes:
            if isinstance(node, ast.Import):
                found += [(alias.name, node.lineno) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.path}:{node.lineno}: relative import"
                for alias in node.names:
                    submodule = f"{node.module}.{alias.name}"
                    found.append((submodule if submodule in names() else str(node.module), node.lineno))
        return [(name, line) for name, line in found if name == "taesan" or name.startswith("taesan.")]

    def imported_from(self, module: str) -> dict[str, str]:
        """Local name → name in `module`, for `from module import …`."""
        return {
            alias.asname or alias.name: alias.name
            for node in self.nodes
            if isinstance(node, ast.ImportFrom) and node.module == module
            for alias in node.names
        }

    def at(self, node: ast.AST) -> str:
        return f"{self.path}:{getattr(node, 'lineno', 0)}"


@cache
def modules() -> tuple[Module, ...]:
    """All but migrations, which are frozen history."""
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        path = file.relative_to(PACKAGE)
        if path.parts[0] != "migrations":
            name = ".".join(["taesan", *path.with_suffix("").parts]).removesuffix(".__init__")
            found.append(Module(name, path, ast.parse(file.read_text(), str(file))))
    return tuple(found)


@cache
def names() -> frozenset[str]:
    return frozenset(m.name for m in modules())


def calls(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, ast.Call]]:
    """(called name without what stands before its last dot, call)."""
    for node in nodes:
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute):
                yield node.func.attr, node
            elif isinstance(node.func, ast.Name):
                yield node.func.id, node
