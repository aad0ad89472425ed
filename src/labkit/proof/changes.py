"""The single changes that make mutants: what a slip of the hand, or half an idea, makes of a line."""

from collections.abc import Iterator, Mapping

import libcst as cst
import libcst.matchers as m

COMPARISONS = {
    cst.Equal: cst.NotEqual, cst.NotEqual: cst.Equal, cst.Is: cst.IsNot, cst.IsNot: cst.Is, cst.In: cst.NotIn,
    cst.NotIn: cst.In, cst.LessThan: cst.LessThanEqual, cst.LessThanEqual: cst.LessThan,
    cst.GreaterThan: cst.GreaterThanEqual, cst.GreaterThanEqual: cst.GreaterThan,
}  # fmt: skip
ARITHMETIC: dict[type[cst.CSTNode], type[cst.CSTNode]] = {
    cst.Add: cst.Subtract, cst.Subtract: cst.Add, cst.Multiply: cst.Divide, cst.Divide: cst.Multiply,
    cst.AddAssign: cst.SubtractAssign, cst.SubtractAssign: cst.AddAssign,
    cst.MultiplyAssign: cst.DivideAssign, cst.DivideAssign: cst.MultiplyAssign,
}  # fmt: skip
NAMES = {"True": "False", "False": "True"}
DTYPES = {"float16": "bfloat16", "bfloat16": "float16", "float32": "float64", "float64": "float32"}
KEPT_STATEMENTS = m.Return() | m.Pass() | m.Import() | m.ImportFrom() | m.Global()

Change = tuple[str, cst.CSTNode | cst.RemovalSentinel]


def changes(node: cst.CSTNode, parents: Mapping[cst.CSTNode, cst.CSTNode]) -> Iterator[Change]:
    """What may become of `node`: the kind of each change, and the node that takes its place."""
    if _in_annotation(node, parents):
        return
    parent = parents[node]
    match node:
        case cst.SimpleStatementLine(body=[statement]):
            if not m.matches(statement, KEPT_STATEMENTS | m.Expr(m.SimpleString() | m.ConcatenatedString())):
                yield "statement dropped", node.with_changes(body=[cst.Pass()])
        case cst.Return(value=value) if value is not None and not m.matches(value, m.Name("None")):
            yield "return value dropped", node.with_changes(value=cst.Name("None"))
        case cst.With():
            yield "with-block removed", cst.If(cst.Name("True"), node.body, leading_lines=node.leading_lines)
        case cst.If() | cst.IfExp() | cst.CompIf() | cst.While() if not m.matches(node.test, m.Name("True")):
            yield "condition negated", node.with_changes(test=_negated(node.test))
        case cst.UnaryOperation(operator=cst.Not()):
            yield "not removed", _bracketed(node.expression)
        case cst.ComparisonTarget(operator=operator) if type(operator) in COMPARISONS:
            yield "comparison swapped", node.with_changes(operator=COMPARISONS[type(operator)]())
        case cst.BooleanOperation(operator=operator):
            other = cst.Or() if isinstance(operator, cst.And) else cst.And()
            yield "and/or swapped", node.with_changes(operator=other)
        case cst.BinaryOperation(operator=operator) | cst.AugAssign(operator=operator) if type(operator) in ARITHMETIC:
            yield "arithmetic swapped", node.with_changes(operator=ARITHMETIC[type(operator)]())
        case cst.Arg() if isinstance(parent, cst.Call):
            yield "argument dropped", cst.RemoveFromParent()
        case cst.Call(func=cst.Attribute(value=value)) if not _is_module(value):
            yield "method call dropped", _bracketed(value)
        case cst.Integer(value=value):
            yield "number changed", node.with_changes(value=str(int(value, 0) + 1))
        case cst.Float(value=value):
            yield "number changed", node.with_changes(value=str(float(value) * 2 or 1.0))
        case cst.Name(value=value) if value in NAMES:
            yield "constant changed", node.with_changes(value=NAMES[value])
        case cst.Attribute(attr=cst.Name(value=value)) if value in DTYPES and m.matches(node.value, m.Name("torch")):
            yield "dtype changed", node.with_changes(attr=cst.Name(DTYPES[value]))
        case cst.Param(default=cst.SimpleString()):
            yield "default changed", node.with_changes(default=cst.SimpleString('"mutant"'))
        case cst.Param(default=cst.Name(value="None")):
            yield "default changed", node.with_changes(default=cst.Integer("0"))
        case cst.Decorator():
            yield "decorator dropped", cst.RemoveFromParent()


def _in_annotation(node: cst.CSTNode, parents: Mapping[cst.CSTNode, cst.CSTNode]) -> bool:
    around: cst.CSTNode | None = node
    while around is not None:
        if isinstance(around, cst.Annotation):
            return True
        around = parents.get(around)
    return False


def _is_module(node: cst.BaseExpression) -> bool:
    """Whether a call on it is no method's: `torch.amp.GradScaler(...)`, `F.softmax(...)`."""
    while isinstance(node, cst.Attribute):
        node = node.value
    return m.matches(node, m.Name("torch") | m.Name("F") | m.Name("nn") | m.Name("dist") | m.Name("math"))


def _negated(test: cst.BaseExpression) -> cst.BaseExpression:
    return cst.UnaryOperation(cst.Not(), _bracketed(test))


def _bracketed(expression: cst.BaseExpression) -> cst.BaseExpression:
    if expression.lpar or isinstance(expression, cst.Name | cst.Attribute | cst.Call | cst.Subscript):
        return expression
    return expression.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
