"""Checks of shapes and types: beartype, which is asked once where a function is made many times."""

from collections.abc import Callable
from typing import Any

from beartype import beartype

_Function = Callable[..., Any]
_made: dict[Any, _Function] = {}


def checked(signature: _Function) -> _Function:
    """What beartype makes of a signature.

    jaxtyping asks for it whenever a function is defined: also at each call of a function that
    defines another one, as every term does its Jacobian. Beartype takes milliseconds to write the
    check, which is more than such a term takes, and the same for equal signatures: so it is kept.

    Args:
        signature: a function of jaxtyping's that has arguments, annotations and a name. Either it
            does nothing, and is called before the checked function, or it gives its last argument,
            and is called with what the checked function gave.
    """
    annotations = signature.__annotations__
    if annotations.get("return", Any) is not Any:
        # The arguments were checked before, and their sizes are remembered.
        signature.__annotations__ = annotations = {"return": annotations["return"]}
    key = (
        signature.__module__,
        signature.__qualname__,
        # Names and kinds of the arguments, and what is given back.
        signature.__code__,
        tuple(annotations.items()),
        # Which arguments may be left out. What they are then is not checked.
        len(signature.__defaults__ or ()),
        tuple(signature.__kwdefaults__ or ()),
    )
    try:
        hash(key)
    except TypeError:  # an annotation holds a list, say
        return beartype(signature)
    if key not in _made:
        _made[key] = beartype(signature)
    return _made[key]
