"""The two ways in which a diorama does not come about: bad input, told in a sentence, and the user's own cancel."""


class DioramaError(ValueError):
    """Input that cannot be used. Its text is one sentence for the user: which file, what is wrong, what to do."""


def without_torch(inpainter: str, error: ImportError, instead: str) -> DioramaError:
    """What to raise where an inpainter's networks cannot run."""
    return DioramaError(f'The inpainter "{inpainter}" needs PyTorch, which cannot be loaded here ({error}); choose "{instead}".')


class Cancelled(Exception):
    """The user asked to stop; raised at the next step of the work, which leaves nothing half done."""
