"""Django's settings, computed from the one frozen `Settings` of this process; nothing is created here."""

import secrets
from importlib.util import find_spec
from typing import Any
from urllib.parse import unquote, urlsplit

from fucina.config import BadSettings, Settings, load_settings

FACTORY: Settings = load_settings()

_KEY_FILE = FACTORY.home / "secrets" / "django.key"


def _secret_key() -> str:
    """The key that `prepare_home` left; before that, one that lasts as long as this process."""
    if _KEY_FILE.is_file():
        return _KEY_FILE.read_text(encoding="ascii").strip()
    return secrets.token_urlsafe(64)


def _database(url: str) -> dict[str, Any]:
    """SQLite in the home folder, or the PostgreSQL that `url` names. Raises BadSettings."""
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": FACTORY.home / "hub.sqlite3",
            "OPTIONS": {"timeout": 30, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL;"},
            "TEST": {"NAME": FACTORY.home / "test.sqlite3"},
        }
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
        raise BadSettings(
            f"database_url starts with {parts.scheme + '://' if parts.scheme else 'no scheme'} or names no database.",
            hint="Write postgres://user:password@host:port/name, or leave it empty for SQLite.",
        )
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        # Statements are planned once a connection and not at every request, which halves the database's work on lists.
        "OPTIONS": {"server_side_binding": True, "prepare_threshold": 3},
    }


SECRET_KEY = _secret_key()
DEBUG = FACTORY.debug
_FURTHER_HOSTS = [host.strip() for host in FACTORY.allowed_hosts.split(",") if host.strip()]
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]", *_FURTHER_HOSTS]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "django_tasks",
    "fucina.hub.manage",
    "django_tasks_db",
    "fucina.hub.people",
    "fucina.hub.network",
    "fucina.hub.access",
    "fucina.hub.accounting",
    "fucina.hub.data",
    "fucina.hub.planning",
    "fucina.hub.compute",
    "fucina.hub.registry",
    "fucina.hub.trust",
    "fucina.hub.review",
    "fucina.hub.portal",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "fucina.hub.api.middleware.content_security_policy",
    "fucina.hub.api.middleware.one_error_shape",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "fucina.hub.urls"
WSGI_APPLICATION = "fucina.hub.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": _database(FACTORY.database_url)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}

AUTH_USER_MODEL = "people.Person"
LOGIN_URL = "/sign-in"
PASSWORD_HASHERS = [
    *(["django.contrib.auth.hashers.Argon2PasswordHasher"] if find_spec("argon2") else []),
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = True
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("it", "Italiano")]

STATIC_URL = "/static/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# Files are served out of the packages; there is nothing to collect.
STATIC_ROOT = None
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

_HTTPS = FACTORY.url.startswith("https://")
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = _HTTPS
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = _HTTPS
CSRF_TRUSTED_ORIGINS = [FACTORY.url] if _HTTPS else []
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31_536_000 if _HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _HTTPS else None
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * 2**20
APPEND_SLASH = False

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {"fucina": {"level": "INFO"}, "django.request": {"level": "ERROR"}},
}
