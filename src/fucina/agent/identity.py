"""Touching a user's files as that user, so that nothing in their folders can lead an agent of root elsewhere."""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager

from fucina.errors import BadInput, NotAllowed


class NoSuchUser(BadInput):
    """The site has no Unix user of that name."""

    code = "no_such_user"


class NotRoot(NotAllowed):
    """Only root acts for other users."""

    code = "not_root"


def find_user(name: str) -> pwd.struct_passwd:
    """The Unix user of that name. Raises NoSuchUser."""
    try:
        return pwd.getpwnam(name)
    except KeyError as error:
        raise NoSuchUser(
            f"This site has no user {name!r}.", hint="Correct it with `fucina site map-user`, or add the user here."
        ) from error


@contextmanager
def acting_as(name: str) -> Iterator[None]:
    """Use the files of `name` with that user's rights; an empty name, or one's own, changes nothing.

    Not for programs with threads that do something else meanwhile: rights belong to the whole process.
    Raises NoSuchUser, NotRoot.
    """
    user = find_user(name) if name else None
    if user is None or user.pw_uid == os.geteuid():
        yield
        return
    if os.geteuid() != 0:
        raise NotRoot(
            f"Only root can act for {name}; this agent runs as user {os.geteuid()}.",
            hint="Run the agent of a site as root, or use `fucina agent --personal`.",
        )
    groups, group = os.getgroups(), os.getegid()
    try:
        os.setgroups(os.getgrouplist(name, user.pw_gid))
        os.setegid(user.pw_gid)
        os.seteuid(user.pw_uid)
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)
