"""The two exceptions: what the user is told, and the user's own stop, which no handler of bad input may catch."""

from photo_diorama.core.errors import Cancelled, DioramaError


def test_bad_input_is_a_value_error_and_cancelling_is_not():
    assert issubclass(DioramaError, ValueError)
    assert not issubclass(Cancelled, ValueError) and not issubclass(Cancelled, OSError)
    assert str(DioramaError("a.png is empty; export it again.")) == "a.png is empty; export it again."
