"""placeholder"""


class RestController:
    """Later."""

    def __init__(self, access: object) -> None:
        self.access = access
