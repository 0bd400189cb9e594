"""Kinds of errors that a user may meet; each error lives beside the function that raises it and inherits one."""

from pydantic import BaseModel, ConfigDict


class ErrorBody(BaseModel):
    """The one JSON shape of an error, in the API, in `error.json` of a stage and in `--format json`."""

    model_config = ConfigDict(frozen=True)

    code: str
    message: str
    hint: str = ""


class FactoryError(Exception):
    """Something a person can understand and act on; never shown as a traceback."""

    code: str = "factory_error"
    """Stable and documented: clients match on it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def body(self) -> ErrorBody:
        """The error as it crosses a process or a file."""
        return ErrorBody(code=self.code, message=self.message, hint=self.hint)


class BadInput(FactoryError):
    """What was given cannot be used; nothing was created."""

    code = "bad_input"


class NotVisible(FactoryError):
    """It does not exist, or this person may not know that it does."""

    code = "not_found"


class NotAllowed(FactoryError):
    """This person may see it but may not do that."""

    code = "not_allowed"


class NotSignedIn(FactoryError):
    """No valid session or token."""

    code = "not_signed_in"


class WrongState(FactoryError):
    """Right person, wrong moment: the state does not allow it, or a budget is spent."""

    code = "wrong_state"


class Unavailable(FactoryError):
    """A service that is needed does not answer; trying again later may help."""

    code = "unavailable"
