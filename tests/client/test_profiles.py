"""Profiles: private, whole, and a key goes only where it belongs."""

import stat
from pathlib import Path

import pytest

from comptoir.client import profiles
from comptoir.client.profiles import DEFAULT_URL, Profile, Profiles, resolve
from comptoir.units.errors import Invalid, NotFound

LAB = Profile("lab", "https://lab.example.org", "ck_lab_secret")
WORK = Profile("work", "https://work.example.org", 'ck_"odd\\\n\u00e9')


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


def stored(*all_profiles: Profile) -> None:
    known = Profiles()
    for profile in all_profiles:
        known = known.with_profile(profile)
    profiles.save(known)


def test_what_is_saved_is_loaded_and_only_ours_to_read() -> None:
    stored(LAB, WORK)
    path = profiles.config_path()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert profiles.load().by_name == {"lab": LAB, "work": WORK}
    assert profiles.load().current == "work"


def test_without_anything_it_is_this_machine() -> None:
    assert resolve(environment={}).url == DEFAULT_URL


def test_the_environment_comes_before_the_profile_in_use() -> None:
    stored(LAB)
    target = resolve(environment={"COMPTOIR_URL": WORK.url, "COMPTOIR_API_KEY": "ck_env"})
    assert (target.url, target.key) == (WORK.url, "ck_env")


def test_a_named_profile_comes_before_the_environment() -> None:
    stored(LAB)
    target = resolve(profile="lab", environment={"COMPTOIR_URL": WORK.url})
    assert (target.url, target.key) == (LAB.url, LAB.key)


def test_a_key_is_never_sent_to_another_server() -> None:
    stored(LAB)
    assert resolve("https://elsewhere.example.org", environment={}).key is None
    assert resolve("https://elsewhere.example.org", profile="lab", environment={}).key is None


def test_a_url_finds_the_key_that_was_stored_with_it() -> None:
    stored(LAB, WORK)
    assert resolve(LAB.url + "/", environment={}).key == LAB.key


def test_logging_out_forgets_the_key() -> None:
    stored(LAB)
    profiles.save(profiles.load().without("lab"))
    assert LAB.key not in profiles.config_path().read_text()
    assert profiles.load() == Profiles()


def test_a_missing_profile_names_those_there_are() -> None:
    stored(LAB)
    with pytest.raises(NotFound, match="lab"):
        resolve(profile="labb")


@pytest.mark.parametrize("text", ["not toml", "[profiles]\nlab = 3", "[profiles.lab]\nkey='x'"])
def test_a_broken_file_is_one_sentence(text: str) -> None:
    path = profiles.config_path()
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(Invalid, match="cannot be read"):
        profiles.load()


@pytest.mark.parametrize("name", ["", "a b", "a.b", "-a", "x" * 40])
def test_a_profile_name_is_a_plain_word(name: str) -> None:
    with pytest.raises(Invalid):
        Profiles().with_profile(Profile(name, LAB.url, LAB.key))
