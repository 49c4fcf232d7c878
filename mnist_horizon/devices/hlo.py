"""What the text of a compiled program says: kernels of an update, their FLOPs and bytes, and more.

XLA prints its compiled programs as text, for every kind of device, also where it has no analysis of
their cost. An update is one pass through the body of the outermost loop.
"""

import functools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

FREE = frozenset(
    ["get-tuple-element", "tuple", "bitcast", "parameter", "constant", "after-all", "copy-done"]
)
"""Operations that do nothing on a device, or that wait for one that was counted."""
COLLECTIVES = (
    "all-reduce",
    "all-gather",
    "all-to-all",
    "collective-permute",
    "collective-broadcast",
    "reduce-scatter",
)
BITS = {"pred": 8, "bf16": 16}
"""Of types whose name does not end in their number of bits, or that take whole bytes."""

_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\) -> .* \{$")
_INSTRUCTION = re.compile(r"^(?:ROOT )?%?([\w.\-]+) = ")
_COMMENT = re.compile(r"/\*.*?\*/")
_ARRAY = re.compile(r"\b([a-z]\w*)\[([\d,]*)\](\{[^}]*\})?")


@dataclass(frozen=True)
class ArrayType:
    """Type, lengths and whether it is in the fast memory of a TPU's core."""

    dtype: str
    shape: tuple[int, ...]
    is_on_chip: bool

    @property
    def bytes(self) -> float:
        """Of the array, without padding."""
        digits = re.sub(r"\D*(\d+).*", r"\1", self.dtype)
        bits = BITS.get(self.dtype) or (int(digits) if digits.isdigit() else 0)
        return math.prod(self.shape) * bits / 8


@dataclass(frozen=True)
class Instruction:
    """One line: `name = result opcode(operands), attributes`."""

    name: str
    opcode: str
    result: tuple[ArrayType, ...]
    operands: tuple[str, ...]
    attributes: str

    def called(self, attribute: str) -> list[str]:
        """Names of the computations of an attribute such as `calls` or `body`."""
        match = re.search(rf"\b{attribute}=\{{?([^,}}\s]+(?:, %[^,}}]+)*)", self.attributes)
        return [name.strip().lstrip("%") for name in match[1].split(",")] if match else []


@dataclass(frozen=True)
class Kernel:
    """What a device runs as one: an instruction of an update, and how often an update has it."""

    instruction: Instruction
    computation: str
    times: int


@dataclass(frozen=True)
class Product:
    """A matrix product: its FLOPs, the types of its factors, and the precision asked for."""

    flops: float
    types: tuple[str, ...]
    precision: str


class Module:
    """A compiled program's text."""

    def __init__(self, text: str) -> None:
        """Read the text.

        Args:
            text: as `compiled.as_text()` gives it.
        """
        self.computations: dict[str, list[Instruction]] = {}
        self.entry = ""
        current: list[Instruction] = []
        for line in text.splitlines():
            if match := _COMPUTATION.match(line):
                current = self.computations.setdefault(match[2], [])
                self.entry = match[2] if match[1] else self.entry
            elif _INSTRUCTION.match(line.strip()):
                current.append(_instruction(_COMMENT.sub("", line.strip())))

    @functools.cached_property
    def kernels(self) -> list[Kernel]:
        """What one pass of the outermost loop runs or, without a loop, the program.

        Loops within it count as often as they pass, where the text says how often, else once.
        """
        loops = [one for one in self._within(self.entry) if one.opcode == "while"]
        return list(self._kernels(loops[0].called("body")[0] if loops else self.entry, 1))

    def count(self) -> int:
        """Kernels per update."""
        return sum(kernel.times for kernel in self.kernels)

    def products(self, kernel: Kernel) -> list[Product]:
        """The matrix products of a kernel."""
        bodies = kernel.instruction.called("calls") if kernel.instruction.opcode == "fusion" else []
        if not bodies:
            return list(self._product(kernel.instruction, kernel.computation))
        return [
            product
            for name in self._fused(bodies)
            for instruction in self.computations.get(name, [])
            for product in self._product(instruction, name)
        ]

    def bytes(self, kernel: Kernel) -> float:
        """Bytes that a kernel reads from and writes to the device's memory.

        Of an operand of which a fusion only gathers parts, those parts.
        """
        instruction = kernel.instruction
        types = self._types(kernel.computation)
        written = sum(one.bytes for one in instruction.result if not one.is_on_chip)
        read = 0.0
        for number, operand in enumerate(instruction.operands):
            whole = sum(one.bytes for one in types.get(operand, ()) if not one.is_on_chip)
            read += min(whole, self._gathered(instruction, number))
        return read + written

    def collectives(self) -> list[str]:
        """Names of the operations by which devices wait for each other."""
        return [
            one.name
            for body in self.computations.values()
            for one in body
            if one.opcode.removesuffix("-start") in COLLECTIVES
        ]

    def host_calls(self) -> list[str]:
        """Names of the operations that need the host: callbacks, and transfers within a program."""
        return [
            one.name
            for body in self.computations.values()
            for one in body
            if one.opcode in ("infeed", "outfeed", "send", "recv")
            or (one.opcode == "custom-call" and "callback" in one.attributes)
        ]

    def has_type(self, dtype: str) -> bool:
        """Whether any array has this type."""
        return any(
            array.dtype == dtype
            for body in self.computations.values()
            for one in body
            for array in one.result
        )

    def writes(self, elements: int) -> list[str]:
        """Names of an update's kernels that write an array of so many elements."""
        return [
            kernel.instruction.name
            for kernel in self.kernels
            if any(math.prod(one.shape) == elements for one in kernel.instruction.result)
        ]

    def _kernels(self, name: str, times: int) -> Iterator[Kernel]:
        for one in self.computations[name]:
            if one.opcode == "while":
                trips = re.search(r'"known_trip_count":\{"n":"(\d+)"', one.attributes)
                inner = times * (int(trips[1]) if trips else 1)
                yield from self._kernels(one.called("body")[0], inner)
            elif one.opcode in ("call", "async-start") or one.opcode == "conditional":
                for attribute in ("to_apply", "calls", "branch_computations"):
                    for called in one.called(attribute):
                        yield from self._kernels(called, times)
            elif one.opcode not in FREE and not one.opcode.endswith("-done"):
                yield Kernel(one, name, times)

    def _within(self, name: str) -> Iterator[Instruction]:
        for one in self.computations[name]:
            yield one
            if one.opcode == "call":
                yield from self._within(one.called("to_apply")[0])

    def _fused(self, names: list[str]) -> Iterator[str]:
        """These computations, and those fused within them."""
        for name in names:
            yield name
            for one in self.computations.get(name, []):
                if one.opcode == "fusion":
                    yield from self._fused(one.called("calls"))

    def _product(self, one: Instruction, computation: str) -> Iterator[Product]:
        gemm = one.opcode == "custom-call" and "gemm" in one.attributes
        if one.opcode not in ("dot", "convolution") and not gemm:
            return
        types = self._types(computation)
        factors = [types[operand][0] for operand in one.operands[:2]]
        left, out = factors[0].shape, math.prod(one.result[0].shape)
        if one.opcode == "convolution":
            # A TPU's products: dimensions that are not summed may stand as spatial ones, each
            # result of which has one term.
            labels = re.search(r"dim_labels=(\w+)_", one.attributes)
            contracted = [left[labels[1].index("f")]] if labels else []
        else:
            found = re.search(
                r'lhs_contracting_dim(?:ension)?s"?[=:][\[{]"?([\d", ]*)', one.attributes
            )
            contracted = [left[int(axis)] for axis in re.findall(r"\d+", found[1] if found else "")]
        precision = re.search(
            r'operand_precision"?[=:][\[{]"?(\w+)|algorithm=(\w+)', one.attributes
        )
        yield Product(
            2.0 * out * math.prod(contracted),
            tuple(factor.dtype for factor in factors),
            (precision[1] or precision[2]).lower() if precision else "default",
        )

    def _gathered(self, one: Instruction, number: int) -> float:
        """Bytes of an operand that a fusion or gather reads, where it reads only parts."""
        if one.opcode in ("gather", "dynamic-slice"):
            return sum(result.bytes for result in one.result) if number == 0 else math.inf
        if one.opcode != "fusion" or not one.called("calls"):
            return math.inf
        body = self.computations.get(one.called("calls")[0], [])
        names = [i.name for i in body if i.opcode == "parameter" and i.operands == (str(number),)]
        users = [i for i in body if names and names[0] in i.operands]
        if not users or any(user.opcode not in ("gather", "dynamic-slice") for user in users):
            return math.inf
        return sum(result.bytes for user in users for result in user.result)

    def _types(self, computation: str) -> dict[str, tuple[ArrayType, ...]]:
        return {one.name: one.result for one in self.computations[computation]}


def _instruction(line: str) -> Instruction:
    match = _INSTRUCTION.match(line)
    assert match
    rest = line[match.end() :]
    end = _closing(rest) + 1 if rest.startswith("(") else rest.index(" ")
    opcode, _, after = rest[end:].strip().partition("(")
    close = _closing("(" + after) - 1
    operands = re.findall(r"(?:^|[,\s])%?([\w.\-]+)(?=,|$)", after[:close])
    arrays = tuple(
        ArrayType(dtype, tuple(map(int, filter(None, lengths.split(",")))), "S(1)" in layout)
        for dtype, lengths, layout in _ARRAY.findall(rest[:end])
    )
    return Instruction(match[1], opcode, arrays, tuple(operands), after[close:])


def _closing(text: str) -> int:
    """Position of the parenthesis that closes the one at the beginning."""
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return position
    return len(text)
