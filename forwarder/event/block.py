"""The objects that an event consists of: declared like pydantic models and read by pydantic's core,
but plain objects afterwards.

A model takes half as long again to fill, since it notes every field that is absent and every one
that is present, and its attributes take longer to read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from inspect import getdoc
from typing import Annotated, ClassVar, Final, Generic, TypeVar, get_origin, get_type_hints

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticOmit
from pydantic_core import core_schema as cs

B = TypeVar("B", bound="Block")
T = TypeVar("T")

EVENT: Final = "event"
"""The title of the event itself: its fields' paths are their names."""


@dataclass(slots=True)
class Reading:
    """What the reading of one record needs and finds. ``written``: its bytes; ``latest``: epoch
    seconds after which no event can have happened; ``dropped``: paths of dropped fields;
    ``unknown``: whether some block was given a field that it does not declare.
    """

    written: bytes
    latest: float
    dropped: list[str] = field(default_factory=list)
    unknown: bool = False

    def as_written(self, value: object) -> object:
        """A whole float that stands nowhere in the record as Python writes it came with an
        exponent: ``1E+3`` has no decimals, ``1000.0`` has one.
        """
        if isinstance(value, float) and value.is_integer():
            return value if repr(value).encode() in self.written else int(value)
        return value

    def drop(self, info: cs.ValidationInfo[Reading], name: str | None = None) -> None:
        """Note the field that is being read. ``name``: as producers write it, if it differs."""
        block = (info.config or {}).get("title")
        path = name or info.field_name or ""
        self.dropped.append(path if block == EVENT else f"{block}.{path}")


class lazy(Generic[B, T]):  # noqa: N801 - used like property
    """An attribute that is computed on first access and then kept in the instance.

    ``functools.cached_property`` takes a lock on each first access up to Python 3.11, which is
    most of its cost; an event belongs to one thread.
    """

    def __init__(self, compute: Callable[[B], T]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, block: B, owner: type[B]) -> T:
        value = block.__dict__[self._name] = self._compute(block)
        return value


class Block:
    """A JSON object of the event. ``title``: its path.

    An instance holds the fields that were given, in normal form; its class holds the defaults of
    all others.
    """

    title: ClassVar[str]
    declared: ClassVar[Mapping[str, FieldInfo]]
    """By attribute."""

    def __init_subclass__(cls, title: str) -> None:
        cls.title = title
        hints = get_type_hints(cls, include_extras=True)
        own = [name for name, hint in hints.items() if get_origin(hint) is not ClassVar]
        cls.declared = {name: _declared(cls, name, hints[name]) for name in own}

    @classmethod
    def __get_pydantic_core_schema__(cls, _: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        block = cs.typed_dict_schema(
            dict(_fields(cls, handler)),
            extra_behavior="allow",
            extras_schema=_UNKNOWN,
            config={"title": cls.title},
        )
        ref = f"{cls.__module__}.{cls.__name__}:{id(cls)}"
        return cs.no_info_after_validator_function(
            _maker(cls), block, ref=ref, metadata={"pydantic_js_functions": [cls.described]}
        )

    @classmethod
    def described(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The JSON Schema of ``schema``, which reads this block, with what it says of itself."""
        json = handler(schema)
        about = {"title": cls.title, "description": getdoc(cls), "additionalProperties": True}
        handler.resolve_ref_schema(json).update(about)
        return json

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} never changes")

    def __eq__(self, other: object) -> bool:
        return (
            type(other) is type(self)
            and isinstance(other, Block)
            and all(getattr(self, name) == getattr(other, name) for name in self.declared)
        )

    __hash__ = None  # type: ignore[assignment]  # it holds mappings

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"  # personal data belongs in no log


def _declared(block: type[Block], name: str, hint: type) -> FieldInfo:
    """The field. Its default becomes an attribute of the class."""
    given = vars(block).get(name, FieldInfo())
    if not isinstance(given, FieldInfo):
        return FieldInfo.from_annotated_attribute(hint, given)
    if given.is_required():
        if name in vars(block):
            delattr(block, name)
    else:
        setattr(block, name, given.default)
    return FieldInfo.from_annotated_attribute(hint, given)


def _fields(
    block: type[Block], handler: GetCoreSchemaHandler
) -> Iterator[tuple[str, cs.TypedDictField]]:
    for name, info in block.declared.items():
        given = info.validation_alias
        assert given is None or isinstance(given, str)
        yield (
            name,
            cs.typed_dict_field(
                handler.generate_schema(Annotated[info.annotation, *info.metadata]),
                required=info.is_required(),
                validation_alias=given,
                metadata={"pydantic_js_updates": _about(info)},
            ),
        )
        if given is not None:  # an unknown field of the attribute's name must not get there
            yield (
                _APART + name,
                cs.typed_dict_field(_NAMESAKE, required=False, validation_alias=name),
            )


def _about(info: FieldInfo) -> dict[str, object]:
    """What the JSON Schema says of a field beside its type."""
    default = info.default if isinstance(info.default, str) else None
    about = {"description": info.description, "examples": info.examples, "default": default}
    return {name: said for name, said in about.items() if said is not None}


def _maker(block: type[B]) -> Callable[[dict[str, object]], B]:
    """Makes an instance of what was read."""
    new = block.__new__
    hold = Block.__dict__["__dict__"].__set__

    def made(found: dict[str, object]) -> B:
        instance = new(block)
        hold(instance, found)
        return instance

    return made


def _unknown(value: object, info: cs.ValidationInfo[Reading]) -> object:
    info.context.unknown = True
    return value


def _no_json(_: CoreSchema, __: GetJsonSchemaHandler) -> JsonSchemaValue:
    raise PydanticOmit


_APART: Final = "?"
"""No attribute's name begins so."""
_UNKNOWN: Final = cs.with_info_before_validator_function(_unknown, cs.any_schema())
_NAMESAKE: Final = cs.with_info_before_validator_function(
    _unknown, cs.any_schema(), metadata={"pydantic_js_functions": [_no_json]}
)


def forget_unknown(block: Block) -> list[str]:
    """Take out of a block that was just read what it does not declare; the names. Before that
    nothing may be read from it but what it declares: those names may be any.
    """
    held, declared = block.__dict__, type(block).declared
    unknown = [name for name in held if name not in declared]
    for name in unknown:
        del held[name]
    return [name.removeprefix(_APART) for name in unknown]
