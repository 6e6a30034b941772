"""Permissions: roles, overwrites in Discord's order, and what follows from others."""

from __future__ import annotations

from hypothesis import given, strategies as st

from loopback.world.permissions import ALL, NONE, Overwrite, Permission, in_channel, permissions

EVERYONE, ROLE, OTHER_ROLE, USER = 1, 2, 3, 9
BASE = permissions(["view_channel", "connect", "speak", "send_messages"])

bits = st.integers(0, ALL.value).map(lambda value: Permission(value & ALL.value))


def _in_channel(base: Permission, *overwrites: Overwrite) -> Permission:
    return in_channel(base, overwrites, everyone_id=EVERYONE, role_ids={ROLE}, user_id=USER)


def test_without_overwrites_the_guilds_permissions_count() -> None:
    assert _in_channel(BASE) == BASE


def test_a_role_outvotes_everyone_and_the_member_outvotes_the_role() -> None:
    speak = Permission.SPEAK
    everyone, role = Overwrite(EVERYONE, 0, deny=speak), Overwrite(ROLE, 0, allow=speak)
    member = Overwrite(USER, 1, deny=speak)
    assert speak not in _in_channel(BASE, everyone)
    assert speak in _in_channel(BASE, role, everyone)
    assert speak not in _in_channel(BASE, member, role, everyone)


def test_overwrites_of_roles_that_one_does_not_have_do_not_count() -> None:
    assert _in_channel(BASE, Overwrite(OTHER_ROLE, 0, deny=ALL)) == BASE


def test_who_cannot_connect_cannot_speak() -> None:
    assert Permission.SPEAK not in _in_channel(BASE, Overwrite(USER, 1, deny=Permission.CONNECT))


@given(base=bits, deny=bits, allow=bits)
def test_who_cannot_see_a_channel_can_do_nothing_in_it(
    base: Permission, deny: Permission, allow: Permission
) -> None:
    base &= ~Permission.ADMINISTRATOR
    hidden = Overwrite(USER, 1, allow & ~Permission.VIEW_CHANNEL, deny | Permission.VIEW_CHANNEL)
    assert _in_channel(base, hidden) == NONE


@given(base=bits, deny=bits)
def test_an_administrator_may_everything(base: Permission, deny: Permission) -> None:
    assert _in_channel(base | Permission.ADMINISTRATOR, Overwrite(USER, 1, deny=deny)) == ALL


@given(first=bits, second=bits)
def test_the_latest_word_of_an_overwrite_counts(first: Permission, second: Permission) -> None:
    overwrite = Overwrite(USER, 1)
    overwrite.change(deny=first)
    overwrite.change(allow=second)
    assert overwrite.allow & overwrite.deny == NONE
    assert overwrite.apply(NONE) == second
