"""Profiles: servers this person has logged in to, each with its key, in one private file.

`$XDG_CONFIG_HOME/comptoir/config.toml` (else `~/.config/...`), mode 0600. A stored key is
used for the server it was stored with and no other.
"""

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from comptoir.units.errors import Invalid, NotFound

DEFAULT_URL = "http://127.0.0.1:8420"
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")


@dataclass(frozen=True, slots=True)
class Profile:
    """A server and the key that opens it."""

    name: str
    url: str
    key: str


@dataclass(frozen=True, slots=True)
class Profiles:
    """All of them, and which one is in use."""

    current: str = ""
    by_name: Mapping[str, Profile] = field(default_factory=dict)

    def with_profile(self, profile: Profile) -> "Profiles":
        """The same with this profile in use."""
        if not _NAME.match(profile.name):
            raise Invalid(
                "bad_profile_name",
                f"{profile.name[:40]!r} must be 1 to 32 letters, digits, hyphens and underscores",
                "give another --profile",
            )
        return Profiles(profile.name, {**self.by_name, profile.name: profile})

    def without(self, name: str) -> "Profiles":
        """The same without this profile; if it was in use, none is."""
        rest = {other: profile for other, profile in self.by_name.items() if other != name}
        return Profiles("" if self.current == name else self.current, rest)

    def using(self, name: str) -> "Profiles":
        """The same with another profile in use."""
        return replace(self, current=self.named(name).name)

    def named(self, name: str) -> Profile:
        """One profile.

        Raises:
            NotFound: `no_profile`.
        """
        if name not in self.by_name:
            known = ", ".join(sorted(self.by_name)) or "none"
            raise NotFound(
                "no_profile",
                f"there is no profile {name!r}; the profiles are: {known}",
                "make it with `comptoir login URL --profile NAME`",
            )
        return self.by_name[name]


@dataclass(frozen=True, slots=True)
class Target:
    """Where to ask, and as whom. `source` says where each came from, for `profile show`."""

    url: str
    key: str | None
    profile: str
    source: str


def config_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the profiles are kept."""
    base = environment.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "comptoir" / "config.toml"


def load(path: Path | None = None) -> Profiles:
    """The stored profiles; none if there is no file.

    Raises:
        Invalid: `bad_config`.
    """
    path = path or config_path()
    try:
        text = path.read_text()
    except FileNotFoundError:
        return Profiles()
    except (OSError, UnicodeDecodeError) as error:
        raise _bad_config(path, str(error)) from None
    import tomllib

    try:
        tables = tomllib.loads(text)
        found = {
            name: Profile(name, str(table["url"]), str(table.get("key", "")))
            for name, table in tables.get("profiles", {}).items()
        }
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError) as error:
        raise _bad_config(path, f"{type(error).__name__}: {error}") from None
    return Profiles(str(tables.get("current", "")), found)


def save(profiles: Profiles, path: Path | None = None) -> Path:
    """Write them all, private from the first byte, never half."""
    path = path or config_path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lines = [f"current = {_quoted(profiles.current)}"]
    for name in sorted(profiles.by_name):
        profile = profiles.by_name[name]
        lines += ["", f"[profiles.{name}]", f"url = {_quoted(profile.url)}"]
        lines += [f"key = {_quoted(profile.key)}"]
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".config-")  # made with 0600
    try:
        with os.fdopen(handle, "w") as file:
            file.write("\n".join(lines) + "\n")
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def resolve(
    url: str | None = None,
    key: str | None = None,
    profile: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Target:
    """Where to ask and as whom: what was given, else a named profile, else the environment
    (`COMPTOIR_URL`, `COMPTOIR_API_KEY`), else the profile in use, else this machine.

    Raises:
        NotFound: `no_profile`.
        Invalid: `bad_config`.
    """
    if profile is not None:
        chosen = load().named(profile)
        return _with_profile(url, key, chosen, f"profile {profile}")
    named_url = url or environment.get("COMPTOIR_URL") or None
    named_key = key or environment.get("COMPTOIR_API_KEY") or None
    if named_url and named_key:
        return Target(named_url, named_key, "", "given" if url else "environment")
    profiles = load()
    current = profiles.by_name.get(profiles.current)
    if named_url:
        same = [p for p in profiles.by_name.values() if _same_server(p.url, named_url)]
        if current in same:
            same = [p for p in same if p is current]
        found = same[0] if same else Profile("", named_url, "")
        return _with_profile(named_url, named_key, found, "given" if url else "environment")
    if current is None:
        return Target(DEFAULT_URL, named_key, "", "default")
    return _with_profile(None, named_key, current, f"profile {current.name}")


def _with_profile(url: str | None, key: str | None, profile: Profile, source: str) -> Target:
    address = url or profile.url
    own = profile.key if _same_server(address, profile.url) else ""
    return Target(address, key or own or None, profile.name, source)


def _same_server(one: str, other: str) -> bool:
    return one.rstrip("/") == other.rstrip("/")


def _quoted(text: str) -> str:
    """A TOML basic string. Printable ASCII as it is, the rest escaped."""
    out = []
    for letter in text:
        if letter in '"\\':
            out.append("\\" + letter)
        elif " " <= letter <= "~":
            out.append(letter)
        else:
            out.append(f"\\U{ord(letter):08X}")
    return '"' + "".join(out) + '"'


def _bad_config(path: Path, why: str) -> Invalid:
    return Invalid(
        "bad_config", f"{path} cannot be read: {why}", "mend it, or remove it and log in again"
    )
