"""The URL of a database that sweeps may share: checked when a config is, since it is written into specs."""

import re

from adkd.base.errors import InputError

DATABASES = ("postgresql", "mysql", "mariadb", "sqlite")
"""What Optuna supports."""
ALLOWED = f"null, or the URL of a database ({', '.join(DATABASES)}), such as postgresql+psycopg://HOST/NAME"
PASSWORD_ELSEWHERE = (
    "leave it out, and let the driver find it: in ~/.pgpass or $PGPASSWORD (PostgreSQL), or in a file that the URL "
    "names, ?read_default_file=~/.my.cnf (MySQL)"
)
_USER = re.compile(r"(?<=://)([^:/@]*):[^/]*@|(?<=://)([^:/@]*):.*@")
_SECRET = re.compile(r"(?i)([?&;][^=&;]*(?:pass|pwd|secret|token)[^=&;]*=)[^&;]+")
_NO_SECRET = re.compile(r"(?i)[?&;](?:sslpassfile|passfile)=")


def check_storage(url: str | None) -> None:
    """Check ``sweeps.storage``.

    Raises:
        InputError: it is not a URL of a database that Optuna can use, or has a password; the error does not show it.
    """
    if url is None:
        return
    if (shown := masked(url)) != url:
        raise InputError(f"sweeps.storage {shown} has a password, which specs would keep", remedy=PASSWORD_ELSEWHERE)
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.partition("+")[0] not in DATABASES or not rest or re.search(r"\s", url):
        raise InputError("sweeps.storage", value=url, allowed=ALLOWED)
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        make_url(url).get_dialect()
    except (ArgumentError, ValueError) as error:  # an unknown driver is an ArgumentError
        reason = " ".join(str(error).split())
        raise InputError(f"sweeps.storage {shown} cannot be used: {reason}") from None


def masked(url: str) -> str:
    """A URL with ``***`` for every password in it."""
    url = _USER.sub(lambda match: f"{match[1] or match[2] or ''}:***@", url)
    return _SECRET.sub(lambda match: match[0] if _NO_SECRET.match(match[0]) else f"{match[1]}***", url)
