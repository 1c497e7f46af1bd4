"""Text that was read in the wrong character set."""

import pandas as pd

from crm_mining.cleaning.text_repair import repair_encoding


def _repair(*texts: str) -> dict[str, str]:
    repaired = repair_encoding(pd.DataFrame({"broken_text": pd.Series(texts, dtype="str")}))
    return dict(zip(repaired["broken_text"], repaired["repaired_text"], strict=True))


def test_utf8_read_as_windows_1252_is_put_right() -> None:
    broken = "Müller Straße".encode().decode("cp1252")
    assert _repair(broken) == {broken: "Müller Straße"}


def test_names_of_other_scripts_are_left_alone() -> None:
    assert _repair("Ωνάσης", "Łódź", "محمد", "王小明", "Çelik Öz") == {}


def test_no_text_gives_no_rows_and_the_same_columns() -> None:
    repaired = repair_encoding(
        pd.DataFrame({"source_key": pd.Series([], dtype="str"), "broken_text": pd.Series([], dtype="str")})
    )
    assert list(repaired.columns) == ["source_key", "broken_text", "repaired_text"]
    assert len(repaired) == 0
