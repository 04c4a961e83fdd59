"""The shape to which tensors broadcast."""

from __future__ import annotations


def common_shape(shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the shape to which tensors of these shapes broadcast.

    Raises:
        RuntimeError: if they do not, with PyTorch's text.

    Example:
        >>> common_shape([(2, 1), (3,)])
        (2, 3)
    """
    result: tuple[int, ...] = ()
    for shape in shapes:
        size = max(len(result), len(shape))
        a, b = ((*[1] * (size - len(s)), *s) for s in (result, shape))
        for place, (m, n) in enumerate(zip(a, b, strict=True)):
            if m != n and m != 1 and n != 1:
                raise RuntimeError(
                    f"The size of tensor a ({m}) must match the size of tensor b ({n}) at "
                    f"non-singleton dimension {place}"
                )
        result = tuple([n if m == 1 else m for m, n in zip(a, b, strict=True)])
    return result
