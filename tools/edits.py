"""What a slip of the hand makes of a node of Python's syntax.

Nothing that is equivalent by construction: docstrings, type hints, decorators, errors and their
texts, and what only says how something is shown or looked up are left as they are.
"""

import ast
import copy
import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

Edit = tuple[str, ast.AST, ast.AST]  # kind, what stands there, what takes its place

_COMPARISONS = {
    ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt, ast.GtE), ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE), ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
}  # fmt: skip
_ARITHMETIC = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
_PAIRS = (
    ("min", "max"), ("minimum", "maximum"), ("argmin", "argmax"), ("any", "all"), ("sum", "mean"),
    ("reduce_sum", "reduce_mean"), ("reduce_min", "reduce_max"), ("zeros", "ones"),
    ("zeros_like", "ones_like"), ("floor", "ceil"), ("downsample", "upsample"), ("sqrt", "square"),
)  # fmt: skip
_OTHER_FUNCTION = dict(_PAIRS) | {b: a for a, b in _PAIRS}
_NAMES, _COMMUTE = ast.Name | ast.Attribute, {"min", "max", "minimum", "maximum"}
_SHOWN = {"verbose", "unit", "disable", "watch_accessed_variables"}  # keywords without effect
_TEXTS = {"remedy", "found", "told"}  # variables that hold what an error says
_MESSAGES = {"UserError", "tqdm"}


class Scope(NamedTuple):
    """Names that may be taken for one another."""

    names: tuple[str, ...]  # of the function: parameters and variables
    attributes: tuple[str, ...]  # of self


def edits(node: ast.AST, scope: Scope) -> Iterator[Edit]:
    """All edits of a node and what is inside it; none where a difference has no effect."""
    if _is_left_alone(node):
        return
    if isinstance(node, ast.ClassDef):
        scope = scope._replace(attributes=tuple(_stored(node, ast.Attribute, "attr")))
    if isinstance(node, ast.FunctionDef):
        parameters = [a.arg for a in node.args.args + node.args.kwonlyargs if a.arg != "self"]
        stored = _stored(node, ast.Name, "id")
        scope = scope._replace(names=tuple(dict.fromkeys([*parameters, *stored])))
    for make in _MAKERS:
        yield from make(node, scope)
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from edits(child, scope)


def _is_left_alone(node):
    if isinstance(node, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.Call) and _called(node) in _MESSAGES:
        return True
    if isinstance(node, ast.keyword):
        return node.arg in _SHOWN
    if isinstance(node, ast.Assign):
        names = {target.id for target in node.targets if isinstance(target, ast.Name)}
        is_alias = isinstance(node.value, ast.Subscript) and not node.col_offset
        return is_alias or bool(names & _TEXTS)
    return isinstance(node, ast.AugAssign) and getattr(node.target, "id", "") in _TEXTS


def _stored(node, kind, name):
    """Names that are assigned inside a node, in their order."""
    nodes = [x for x in ast.walk(node) if isinstance(x, kind) and isinstance(x.ctx, ast.Store)]
    return dict.fromkeys(getattr(x, name) for x in nodes)


def _called(node: ast.Call) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def _with(node: ast.AST, **fields: Any) -> ast.AST:
    """A copy of a node with other fields."""
    made = copy.copy(node)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def _without(items, index):
    return items[:index] + items[index + 1 :]


def _swapped(items, index):
    return [*items[:index], items[index + 1], items[index], *items[index + 2 :]]


def _comparisons(node, scope):
    if isinstance(node, ast.Compare):
        for index, op in enumerate(node.ops):
            for other in _COMPARISONS[type(op)]:
                ops = [*node.ops[:index], other(), *node.ops[index + 1 :]]
                yield "comparison", node, _with(node, ops=ops)


def _arithmetic(node, scope):
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _ARITHMETIC:
        yield "arithmetic", node, _with(node, op=_ARITHMETIC[type(node.op)]())
    if isinstance(node, ast.UnaryOp):
        yield "sign", node, node.operand
    if isinstance(node, ast.BoolOp):
        op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield "boolean", node, _with(node, op=op)


def _constants(node, scope):
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield "constant", node, ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield "constant", node, ast.Constant(node.value + 1)
    elif isinstance(node, ast.Constant) and isinstance(node.value, float):
        yield "constant", node, ast.Constant(2 * node.value if node.value else 1.0)


def _conditions(node, scope):
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        yield "condition", node.test, ast.UnaryOp(ast.Not(), node.test)


def _calls(node, scope):
    if not isinstance(node, ast.Call):
        return
    for index, pair in enumerate(itertools.pairwise(node.args)):
        if _called(node) not in _COMMUTE and all(isinstance(x, _NAMES) for x in pair):
            yield "argument order", node, _with(node, args=_swapped(node.args, index))
    for index, keyword in enumerate(node.keywords):
        if keyword.arg and keyword.arg not in _SHOWN:
            yield "keyword", node, _with(node, keywords=_without(node.keywords, index))
    if other := _OTHER_FUNCTION.get(_called(node)):
        field = "attr" if isinstance(node.func, ast.Attribute) else "id"
        yield "function", node.func, _with(node.func, **{field: other})


def _neighbors(node, scope):
    """A variable of the same function, or an attribute of self, that shares a word."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        for other in _like(node.id, scope.names):
            yield "name", node, _with(node, id=other)
    if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self":
        for other in _like(node.attr, scope.attributes) if isinstance(node.ctx, ast.Load) else ():
            yield "name", node, _with(node, attr=other)
    if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
        for index in range(len(node.value.elts) - 1):
            elements = _swapped(node.value.elts, index)
            yield "return", node, _with(node, value=_with(node.value, elts=elements))


def _like(name, others):
    words = set(name.strip("_").split("_"))
    return [o for o in others if o != name and words & set(o.strip("_").split("_"))]


def _statements(node, scope):
    is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    is_item = isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript)
    if is_call or is_item or isinstance(node, ast.AugAssign | ast.Break | ast.Continue):
        yield "statement", node, ast.Pass()
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
        for bound in ("lower", "upper"):
            if getattr(node.slice, bound) is not None:
                yield "slice", node, _with(node, slice=_with(node.slice, **{bound: None}))


_MAKERS: tuple[Callable[[ast.AST, Scope], Iterator[Edit]], ...] = (
    _comparisons, _arithmetic, _constants, _conditions, _calls, _neighbors, _statements,
)  # fmt: skip
