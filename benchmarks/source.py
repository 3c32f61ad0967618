"""What each style asks of a reader and of a change, counted from the source.

The rule for a new step between two others, by style:
- Orchestration: the definition gets a line, in the one file that has it, and imports the new app's contract. The
  contract is touched for its step name. No other app is.
- Choreography: who began on the event before must begin on the new app's event instead: every app whose `part_of`
  answers that event with a step of its own changes its reaction. Every app that gives back hears of one refusal more;
  the follower hears of each new event. The new contract is touched for its events, and no other.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
APPS = ("orders", "payments", "inventory", "shipping")
DEFINITION = "orders/definitions.py"
FOLLOWER = "orders/follower.py"
REACTIONS = [f"{app}/receivers.py" for app in APPS]
#: The functions of a receivers module that are the flow of a choreographed order.
PART = ("on_fulfilment", "part_of", "answer_in")


def counted(style: str) -> dict[str, Any]:
    """All counts for one style."""
    return orchestration() if style == "orchestration" else choreography()


def orchestration() -> dict[str, Any]:
    """The definition says the whole flow."""
    return _rows(
        files=[DEFINITION],
        lines=_code_lines(_assignment(DEFINITION, "FULFIL_ORDER")),
        imports=_by_app([DEFINITION]),
        heard=dict.fromkeys(APPS, 0),
        touched=[DEFINITION],
    )


def choreography() -> dict[str, Any]:
    """The reactions of all apps together, and the follower."""
    parts = [f for file in REACTIONS for f in _functions(file)]
    refusals = [file for file in REACTIONS if _gives_back(file)]
    return _rows(
        files=[*REACTIONS, FOLLOWER],
        lines=sum(map(_code_lines, parts)) + _code_lines(ast.parse((ROOT / FOLLOWER).read_text())),
        imports=_by_app([*REACTIONS, FOLLOWER]),
        heard={app: len(_heard(f"{app}/receivers.py") - _own(app)) for app in APPS},
        touched=sorted({*refusals, FOLLOWER}),
    )


def _rows(
    *, files: list[str], lines: int, imports: dict[str, int], heard: dict[str, int], touched: list[str]
) -> dict[str, Any]:
    return {
        "files that say the flow": len(files),
        "lines of code that say the flow": lines,
        "other apps' contracts imported for it": imports,
        "event types an app hears of others for it": heard,
        "existing files to touch for a step between two others": len(touched),
        "which": ", ".join(f"`{name}`" for name in touched),
    }


def _tree(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text())


def _assignment(file: str, name: str) -> ast.stmt:
    """A module's assignment to a name."""
    return next(
        node for node in _tree(file).body
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets)
    )  # fmt: skip


def _functions(file: str) -> list[ast.FunctionDef]:
    return [n for n in _tree(file).body if isinstance(n, ast.FunctionDef) and n.name in PART]


def _code_lines(node: ast.AST) -> int:
    """Lines with code on them: no blanks, comments or docstrings."""
    texts = {id(d) for n in ast.walk(node) if (d := _docstring(n)) is not None}
    return len({
        number
        for n in _outside(node, texts)
        for number in (getattr(n, "lineno", 0), getattr(n, "end_lineno", 0))
        if number
    })  # fmt: skip


def _outside(node: ast.AST, left_out: set[int]) -> Iterator[ast.AST]:
    if id(node) in left_out:
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _outside(child, left_out)


def _docstring(node: ast.AST) -> ast.stmt | None:
    if not isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) or not node.body:
        return None
    first = node.body[0]
    text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return first if text else None


def _by_app(files: list[str]) -> dict[str, int]:
    """How many contracts of others each app imports in these files for the flow."""
    found: dict[str, set[str]] = {app: set() for app in APPS}
    for file in files:
        app = file.partition("/")[0]
        found[app] |= {
            other for other, name in _imported(file).values() if other != app and _used(file, name)
        }
    return {app: len(others) for app, others in found.items()}


def _imported(file: str) -> dict[str, tuple[str, str]]:
    """Local name -> (app, local name) of everything that comes from a contract."""
    found = {}
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.ImportFrom) and node.module:
            app, _, rest = node.module.partition(".")
            for alias in node.names:
                if app in APPS and (rest == "contract" or alias.name == "contract"):
                    found[alias.asname or alias.name] = (app, alias.asname or alias.name)
    return found


def _used(file: str, name: str) -> bool:
    """Whether the flow in this file uses a name. Of receivers only the part in the flow counts."""
    nodes: list[Any] = _functions(file) if file in REACTIONS else [_tree(file)]
    return any(isinstance(n, ast.Name) and n.id == name for node in nodes for n in ast.walk(node))


def _heard(file: str) -> set[str]:
    """The event types in the subscription of an app's reaction, as `app.Event`."""
    names = _imported(file)
    reaction = next(f for f in _functions(file) if f.name == "on_fulfilment")
    (decorator,) = [d for d in reaction.decorator_list if isinstance(d, ast.Call)]
    (types,) = [k.value for k in decorator.keywords if k.arg == "of"]
    assert isinstance(types, ast.Tuple)
    return {_event(node, names) for node in types.elts}


def _event(node: ast.expr, names: dict[str, tuple[str, str]]) -> str:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{names[node.value.id][0]}.{node.attr}"
    assert isinstance(node, ast.Name)
    return f"{names[node.id][0] if node.id in names else 'sagas'}.{node.id}"


def _own(app: str) -> set[str]:
    return {event for event in _heard(f"{app}/receivers.py") if event.startswith(f"{app}.")}


def _gives_back(file: str) -> bool:
    """Whether an app's part gives something back: then it must hear of one refusal more."""
    return any(isinstance(n, ast.Name) and n.id == "GiveBack" for f in _functions(file) for n in ast.walk(f))
