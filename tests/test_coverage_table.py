"""docs/coverage.md says what is true, and gives a reason for whatever is missing."""

from tests.coverage_table import NO, PARTLY, PATH, table, text


def test_the_page_is_up_to_date():
    assert PATH.read_text() == text(), "run `python -m tests.coverage_table`"


def test_everything_missing_has_a_reason():
    found = table()
    assert [f"{n}.{k}" for n, names in found.items() for k, v in names.items() if v == "no"] == []


def test_no_reason_outlives_its_gap():
    kinds = {f"{n}.{k}": v.split(":")[0] for n, names in table().items() for k, v in names.items()}
    assert [name for name in NO if kinds.get(name) != "no"] == []
    assert [name for name in PARTLY if kinds.get(name) != "partly"] == []


def test_the_table_is_not_empty():
    sizes = {namespace: len(names) for namespace, names in table().items()}
    assert sizes["nn"] > 140
    assert sizes["nn.functional"] > 120
    assert min(sizes.values()) > 0
