"""One thing has one name in every run, and two things never share one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orders.references import saga_reference

Names = st.tuples(
    st.sampled_from(["note", "cancellation"]), st.text("A/-1", max_size=5), st.text("A/-1", max_size=5)
)


@given(one=Names, other=Names)
def test_what_reads_alike_is_told_apart(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    assert (saga_reference(*one) == saga_reference(*other)) == (one == other)


def test_a_name_is_the_same_in_every_run() -> None:
    assert saga_reference("note, try 1", "A-1", "C-1") == "A-1/C-1-a446f9de"


def test_long_names_are_cut_and_told_apart_by_what_was_cut() -> None:
    one, other = (saga_reference("note", "A" * 100, "C" * 99 + end) for end in "12")

    assert one != other
    assert max(len(one), len(other)) <= 200
