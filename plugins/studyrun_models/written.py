"""How a number is written where a model answers with it."""

__all__ = ["as_written"]


def as_written(number: float) -> str:
    """Decimal digits without a fraction that is zero: 65, 2.5, -3."""
    return str(int(number)) if float(number).is_integer() else repr(float(number))
