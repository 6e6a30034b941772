"""The tape: frames that left, arrived, or have to leave again."""

from __future__ import annotations

from hypothesis import given, strategies as st

from actors.voice.tape import Tape


def tape_of(frames: int, limit: int = 100) -> Tape:
    tape = Tape(limit)
    for number in range(frames):
        tape.left(frame(number))
    return tape


def frame(number: int) -> bytes:
    return b"%d" % number


def drain(tape: Tape) -> list[bytes]:
    """Let everything that waits leave."""
    sent = []
    while tape.waiting:
        sent.append(tape.waiting[0])
        tape.left(sent[-1])
    return sent


def test_what_did_not_arrive_leaves_again_in_order_under_its_old_number() -> None:
    tape = tape_of(10)
    assert tape.take_back(7) == 3
    assert (tape.number, len(tape.waiting)) == (7, 3)
    assert drain(tape) == [frame(7), frame(8), frame(9)]
    assert tape.number == 10


def test_what_arrived_is_not_taken_back() -> None:
    tape = tape_of(10)
    assert tape.arrived(8) == 0
    assert tape.take_back(0) == 2
    assert drain(tape) == [frame(8), frame(9)]


def test_what_arrived_late_is_not_sent_again() -> None:
    tape = tape_of(10)
    tape.take_back(4)
    assert tape.arrived(7) == 3
    assert drain(tape) == [frame(7), frame(8), frame(9)]
    assert tape.arrived(4) == 0  # an old proof


def test_no_more_is_kept_than_the_limit() -> None:
    tape = tape_of(1000, limit=5)
    assert tape.take_back(0) == 5
    assert drain(tape) == [frame(number) for number in range(995, 1000)]


def test_a_refused_frame_waits_in_its_place() -> None:
    tape = tape_of(3)
    tape.hold(frame(3))
    tape.take_back(2)
    assert drain(tape) == [frame(2), frame(3)]


def test_what_was_replaced_is_not_heard_again() -> None:
    tape = tape_of(3)
    tape.take_back(1)
    tape.clear()
    assert not tape.waiting
    assert tape.take_back(0) == 0


@given(st.lists(st.tuples(st.sampled_from(["new", "arrived", "back", "refuse"]), st.integers(0, 30))))
def test_whatever_happens_frames_leave_in_order_and_none_is_left_out(
    events: list[tuple[str, int]],
) -> None:
    tape, made, sent, arrived = Tape(50), 0, [], 0
    for event, value in events:
        match event:
            case "new" | "refuse":
                made += not tape.waiting
                head = tape.waiting[0] if tape.waiting else frame(made - 1)
                if event == "refuse":
                    tape.hold(head)
                else:
                    sent.append(int(head))
                    tape.left(head)
            case "arrived":
                arrived = max(arrived, min(value, max(sent, default=-1) + 1))
                tape.arrived(arrived)
            case "back":
                tape.take_back(max(value, arrived))
    sent += [int(each) for each in drain(tape)]
    assert all(later <= max(sent[: index + 1]) + 1 for index, later in enumerate(sent[1:]))
    assert set(sent) == set(range(made))
